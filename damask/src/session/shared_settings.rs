//! A session's settings, which its statements' functions change, too, and what can be told of them without their lock.
//!
//! A statement asks for them ten times, and they change once in a session's life. So whoever asks keeps what it got, and compares the generation.

use super::settings::{Effective, Settings};
use parking_lot::{Mutex, MutexGuard};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// See the head of the file.
pub(crate) struct SharedSettings {
    settings: Mutex<Settings>,
    /// A copy of the settings' own, as of the last change.
    generation: AtomicU64,
    /// Whether the transaction has changed some, as of the last change.
    has_changes: AtomicBool,
}

/// Settings under their lock; what was told of them is told anew at its end.
pub(crate) struct SettingsGuard<'a> {
    owner: &'a SharedSettings,
    settings: MutexGuard<'a, Settings>,
}

impl SharedSettings {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            generation: AtomicU64::new(settings.generation),
            has_changes: AtomicBool::new(settings.mark() > 0),
            settings: Mutex::new(settings),
        }
    }

    pub(crate) fn lock(&self) -> SettingsGuard<'_> {
        SettingsGuard { owner: self, settings: self.settings.lock() }
    }

    /// Counts changes, so that caches of what depends on settings can tell.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Ends a transaction that committed, as [`Settings::commit`].
    pub(crate) fn commit(&self) {
        if self.has_changes.load(Ordering::Acquire) {
            self.lock().commit();
        }
    }

    /// Takes back every change of the transaction, as [`Settings::rollback_to`].
    pub(crate) fn rollback(&self) {
        if self.has_changes.load(Ordering::Acquire) {
            self.lock().rollback_to(0);
        }
    }
}

impl Deref for SettingsGuard<'_> {
    type Target = Settings;

    fn deref(&self) -> &Settings {
        &self.settings
    }
}

impl DerefMut for SettingsGuard<'_> {
    fn deref_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }
}

impl Drop for SettingsGuard<'_> {
    fn drop(&mut self) {
        self.owner.generation.store(self.settings.generation, Ordering::Release);
        self.owner.has_changes.store(self.settings.mark() > 0, Ordering::Release);
    }
}

/// Settings in the form that the engine uses, as a session last got them.
#[derive(Debug)]
pub(crate) struct KnownEffective {
    effective: Arc<Effective>,
    generation: u64,
}

impl KnownEffective {
    pub(crate) fn new(settings: &SharedSettings) -> Self {
        let settings = settings.lock();
        Self { effective: Arc::clone(settings.effective()), generation: settings.generation }
    }

    /// What holds now.
    pub(crate) fn get(&mut self, settings: &SharedSettings) -> &Arc<Effective> {
        if self.generation != settings.generation() {
            *self = Self::new(settings);
        }
        &self.effective
    }
}
