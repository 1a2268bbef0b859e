//! Background steps and the engine: a step keeps no database open.
//!
//! Whoever lets go of a database may open it again at once, so its lock must be free then. A step ([`damask_storage::env::Step`]) has the engine
//! only while it runs, and the last one who uses the engine otherwise ends that first ([`Engine::end_background`]): it waits for the steps that
//! run, and those to come find nothing.

use crate::engine::Engine;
use parking_lot::RwLock;
use std::sync::{Arc, Weak};

/// Whether there is no background any more; read-locked while a step runs.
pub(crate) type Background = Arc<RwLock<bool>>;

/// A background step's way to the engine.
pub(crate) struct EngineOfStep {
    engine: Weak<Engine>,
    background: Background,
}

impl EngineOfStep {
    pub(crate) fn new(engine: &Arc<Engine>) -> Self {
        Self { engine: Arc::downgrade(engine), background: Arc::clone(&engine.background) }
    }

    /// Runs `f` with the engine, if it is still there.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&Arc<Engine>) -> R) -> Option<R> {
        let is_over = self.background.read();
        // Let go of before the lock is.
        let engine = (!*is_over).then(|| self.engine.upgrade()).flatten()?;
        Some(f(&engine))
    }
}

impl Engine {
    /// Waits for background steps that run, and lets none run any more. What they do is left to who commits, or undone.
    pub fn end_background(&self) {
        *self.background.write() = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EngineOptions, Location};
    use damask_storage::Env;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[test]
    fn nobody_has_the_engine_when_the_background_has_ended() {
        let engine =
            Engine::open(Env::in_memory(1), Location::Memory, EngineOptions::default()).unwrap();
        let of_step = EngineOfStep::new(&engine);
        let (runs, is_running) = channel();
        let step = std::thread::spawn(move || {
            let ran = of_step.with(|_| {
                runs.send(()).unwrap();
                std::thread::sleep(Duration::from_millis(20));
            });
            (ran, of_step)
        });
        is_running.recv().unwrap();
        engine.end_background();
        assert_eq!(Arc::strong_count(&engine), 1);
        let (ran, of_step) = step.join().unwrap();
        assert!(ran.is_some() && of_step.with(|_| ()).is_none());
    }
}
