//! The table of tasks, the workers that run them, and the watch thread that sees to it that somebody can.
//!
//! A worker looks, in this order, for a task in `ready`, for something to flush if tasks are `unsettled` and nothing else is ready, and
//! for an event of the poller. What `ready` holds was woken by another session or a deadline, has been settled, or came with other events
//! while nobody else polled.
//!
//! Whoever flushes takes all unsettled tasks and settles the last of them, which covers those before it. It does so when the poller
//! has nothing, or when the last of them has waited for [`GATHER_PAUSE`] or the first for [`GATHER_MAX`], so that commits do not wait for a
//! server that is never idle.
//! While it settles, what comes gathers; others settle that at the same time, as many as the log has lanes, once it is as much as is being
//! settled (`storage/src/log/handover.rs` says why).
//! If other tasks are to follow and the poller has nothing, it first yields its processor up to [`YIELDS_MAX`] times: clients that share the
//! machine may be about to send what makes them ready. Where a processor is idle that returns at once, and nothing is waited for.
//!
//! Locks: each is held for a few instructions and none is taken inside another, save the tables' inside the timers'. A task's own mutex is
//! locked by its owner alone, and held while it runs.

use super::crew::{Crew, Seat};
use super::poller::{Events, Poller};
use super::sync::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use super::tasks::Tasks;
use super::timers::{Deadline, Timers};
use super::turn::Turn;
use super::{Clock, Next, Signs, Task};
use crossbeam_utils::CachePadded;
use damask::topology::{Node, Topology};
use parking_lot::{Condvar, Mutex};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

/// How often the watch thread looks while there is something to watch; what takes longer is held up.
const TICK: Duration = Duration::from_millis(1);
/// Ticks without anything to watch before the watch thread sleeps.
const QUIET_TICKS: u32 = 20;
/// How long a worker that is not needed waits before it ends.
const SPARE_KEEP: Duration = Duration::from_secs(5);
/// How long tasks wait to be settled while there are others to run and more come to be settled. None is settled sooner because its
/// transaction holds locks: TPC-B with 32 clients then takes 0.20 flushes a transaction instead of 0.08, and is no faster.
const GATHER_MAX: Duration = Duration::from_millis(8);
/// How long they wait for one more.
const GATHER_PAUSE: Duration = Duration::from_millis(2);
/// How often a worker yields its processor before it settles tasks that others are to follow.
const YIELDS_MAX: u32 = 4;
/// Address space of a worker's stack; what is not touched is not resident.
const STACK_BYTES: usize = 16 << 20;
/// Entries of the timers beyond two a task that are not looked through.
const TIMERS_SLACK: usize = 64;

/// A task in the table.
pub(crate) struct Handle<T> {
    key: u64,
    turn: Turn,
    is_hung_up: AtomicBool,
    deadline: Deadline,
    task: Mutex<Option<T>>,
}

impl<T> Handle<T> {
    /// Whether it runs, or is about to.
    pub(crate) fn is_busy(&self) -> bool {
        self.turn.is_owned()
    }
}

/// Tasks that are in nobody's hands.
struct Queue<T> {
    count: AtomicUsize,
    tasks: Mutex<VecDeque<Arc<Handle<T>>>>,
}

impl<T> Queue<T> {
    fn new() -> Self {
        Self { count: AtomicUsize::new(0), tasks: Mutex::default() }
    }

    fn len(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn push(&self, task: Arc<Handle<T>>) {
        let mut tasks = self.tasks.lock();
        tasks.push_back(task);
        self.count.store(tasks.len(), Ordering::SeqCst);
    }

    fn pop(&self) -> Option<Arc<Handle<T>>> {
        if self.is_empty() {
            return None;
        }
        let mut tasks = self.tasks.lock();
        let task = tasks.pop_front();
        self.count.store(tasks.len(), Ordering::SeqCst);
        task
    }

    fn take(&self) -> VecDeque<Arc<Handle<T>>> {
        let mut tasks = self.tasks.lock();
        self.count.store(0, Ordering::SeqCst);
        std::mem::take(&mut *tasks)
    }
}

/// See the head of the file.
pub(crate) struct Pool<T> {
    poller: Arc<Poller>,
    crew: Crew,
    tasks: Tasks<T>,
    ready: CachePadded<Queue<T>>,
    unsettled: CachePadded<Queue<T>>,
    /// When the first of them came, in microseconds of `clock`.
    first_unsettled: AtomicU64,
    last_unsettled: AtomicU64,
    /// Whether the last of them said that others follow.
    others_follow: AtomicBool,
    /// How many may settle tasks at a time.
    flushes_max: usize,
    /// How many do.
    flushes: AtomicUsize,
    /// How many tasks they settle.
    being_settled: AtomicUsize,
    timers: Mutex<Timers>,
    clock: Clock,
    /// The nodes that workers run on.
    topology: Arc<dyn Topology>,
    /// The watch thread is to look: there is something to watch, a new first deadline, or the end.
    watch: Condvar,
    /// The watch thread looks at every tick.
    is_alert: AtomicBool,
    is_closing: AtomicBool,
}

thread_local! {
    /// The worker that this thread is.
    static WORKER: RefCell<Option<Box<dyn Fn()>>> = const { RefCell::new(None) };
}

/// To be called before the thread waits for something that another task may have to bring about: if it is a worker and nobody polls, another one
/// takes its place. Waits that are not announced are noticed a little later.
pub(crate) fn about_to_wait() {
    WORKER.with_borrow(|worker| {
        if let Some(hand_over) = worker {
            hand_over();
        }
    });
}

impl<T: Task> Pool<T> {
    /// Starts the watch thread and as many workers as there are processors, at least two, spread over the machine's nodes. `clock` times
    /// deadlines; at most `flushes_max` workers settle tasks at a time.
    ///
    /// # Errors
    /// When there are no descriptors or threads left.
    pub(crate) fn start(
        clock: Clock,
        topology: Arc<dyn Topology>,
        flushes_max: usize,
    ) -> io::Result<Arc<Self>> {
        let permits = thread::available_parallelism().map_or(2, usize::from).max(2);
        let pool = Arc::new(Self {
            poller: Arc::new(Poller::new()?),
            crew: Crew::new(spread(permits, topology.nodes())),
            tasks: Tasks::new(),
            ready: CachePadded::new(Queue::new()),
            unsettled: CachePadded::new(Queue::new()),
            first_unsettled: AtomicU64::new(0),
            last_unsettled: AtomicU64::new(0),
            others_follow: AtomicBool::new(false),
            flushes_max,
            flushes: AtomicUsize::new(0),
            being_settled: AtomicUsize::new(0),
            timers: Mutex::default(),
            clock,
            topology,
            watch: Condvar::new(),
            is_alert: AtomicBool::new(false),
            is_closing: AtomicBool::new(false),
        });
        let watcher = Arc::clone(&pool);
        thread::Builder::new().name("pool-watch".to_owned()).spawn(move || watcher.keep_watch())?;
        while let Some(node) = pool.crew.reserve() {
            if let Err(error) = pool.spawn(node) {
                pool.close();
                return Err(error);
            }
        }
        Ok(pool)
    }

    /// The kernel's part, for tasks that wait for their socket by themselves.
    pub(crate) fn poller(&self) -> &Arc<Poller> {
        &self.poller
    }

    /// Adds a task, which runs when something arrives at `socket`. No two have the same key.
    ///
    /// # Errors
    /// When the kernel cannot watch one more socket; the task is dropped.
    pub(crate) fn add(&self, key: u64, task: T, socket: impl AsFd) -> io::Result<Arc<Handle<T>>> {
        let handle = Arc::new(Handle {
            key,
            turn: Turn::new(),
            is_hung_up: AtomicBool::new(false),
            deadline: Deadline::default(),
            task: Mutex::new(Some(task)),
        });
        self.tasks.insert(key, Arc::clone(&handle));
        // Of a single one whoever does not rest takes care.
        if self.tasks.len() > 1 && !self.crew.rouse() && self.crew.is_unpolled() {
            self.alert();
        }
        if let Err(error) = self.poller.add(socket, key) {
            self.tasks.remove(key);
            handle.task.lock().take();
            return Err(error);
        }
        Ok(handle)
    }

    /// What makes the task with this key run; it may be called from anywhere, and does nothing once the task is gone.
    pub(crate) fn waker(self: &Arc<Self>, key: u64) -> Arc<dyn Fn() + Send + Sync> {
        let pool: Weak<Self> = Arc::downgrade(self);
        Arc::new(move || {
            if let Some(pool) = pool.upgrade() {
                pool.signal(key);
            }
        })
    }

    /// Ends the threads, each when it is done with what it runs. Tasks are not run any more.
    pub(crate) fn close(&self) {
        self.is_closing.store(true, Ordering::SeqCst);
        self.crew.dismiss();
        self.poller.wake();
        let _timers = self.timers.lock();
        self.watch.notify_all();
    }

    fn signal(&self, key: u64) {
        let Some(task) = self.tasks.get(key) else { return };
        if task.turn.signal() {
            self.ready.push(task);
            self.call_worker();
        }
    }

    /// Whether nobody polls though something may happen to a task that nobody has in hands.
    fn is_unattended(&self) -> bool {
        self.crew.is_unpolled() && self.tasks.len() > 1
    }

    /// Something is in a queue: wakes one who polls. Those who do not look there before they do.
    fn call_worker(&self) {
        if self.crew.is_unpolled() {
            self.alert();
        } else {
            self.poller.wake();
        }
    }

    /// Lets the watch thread look at every tick for a while.
    fn alert(&self) {
        if !self.is_alert.load(Ordering::SeqCst) && !self.is_alert.swap(true, Ordering::SeqCst) {
            let _timers = self.timers.lock();
            self.watch.notify_all();
        }
    }

    fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::Acquire)
    }

    /// Starts a worker, for which a permit of a node is reserved.
    fn spawn(self: &Arc<Self>, node: usize) -> io::Result<()> {
        let pool = Arc::clone(self);
        let started = thread::Builder::new()
            .name("worker".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || pool.work(node));
        if started.is_err() {
            self.crew.give_back(node);
        }
        started.map(drop)
    }

    // Workers.

    fn work(self: Arc<Self>, mut node: usize) {
        let seat = self.crew.join(node);
        self.bind(node);
        {
            let (pool, seat) = (Arc::clone(&self), Arc::clone(&seat));
            let hand_over = move || pool.hand_over(&seat);
            WORKER.with_borrow_mut(|worker| *worker = Some(Box::new(hand_over)));
        }
        let mut room = T::Room::default();
        let mut events = Events::new();
        // Since the poller had something.
        let mut yields = 0;
        let mut has_permit = true;
        while has_permit && !self.is_closing() {
            if seat.node() != node {
                node = seat.node();
                self.bind(node);
            }
            if let Some(task) = self.ready.pop() {
                if !self.ready.is_empty() {
                    self.alert();
                }
                has_permit = self.serve(&seat, &task, &mut room);
            } else if self.can_flush() {
                let is_gathering = self.is_gathering();
                if is_gathering && self.poller.look(&mut events, self.crew.is_unpolled()) {
                    yields = 0;
                    self.alert();
                    has_permit = self.happened(&seat, &events, &mut room);
                } else if is_gathering
                    && yields < YIELDS_MAX
                    && self.others_follow.load(Ordering::Relaxed)
                {
                    yields += 1;
                    thread::yield_now();
                } else {
                    yields = 0;
                    has_permit = self.flush(&seat);
                }
            } else {
                let is_due = || self.is_pending() || self.is_closing();
                // What others could begin at once is left to them.
                let takes_all = self.crew.is_unpolled();
                let enough = || self.tasks.len().max(1);
                let wait = || self.poller.wait(&mut events, takes_all);
                if self.crew.poll(&seat, enough, is_due, wait).is_some() {
                    has_permit = self.happened(&seat, &events, &mut room);
                }
            }
        }
        if has_permit {
            self.crew.leave(&seat);
        }
        if self.is_closing() {
            // One event ends one wait: it is passed on.
            self.poller.wake();
        }
        WORKER.with_borrow_mut(Option::take);
    }

    /// The calling worker runs on the processors of a node from now on.
    fn bind(&self, node: usize) {
        if self.topology.nodes().len() > 1 {
            self.topology.bind_thread(node);
        }
    }

    /// Whether something in the queues is for whoever comes by.
    fn is_pending(&self) -> bool {
        !self.ready.is_empty() || self.can_flush()
    }

    /// Whether there is something to settle, and nobody at it; or somebody, but as much has gathered as is being settled, and more may be at it.
    fn can_flush(&self) -> bool {
        let count = self.unsettled.len();
        let flushes = self.flushes.load(Ordering::SeqCst);
        let is_enough = || count >= self.being_settled.load(Ordering::SeqCst);
        count > 0 && (flushes == 0 || flushes < self.flushes_max && is_enough())
    }

    /// Runs the first task that something happened to, and leaves the others to whoever comes first.
    fn happened(self: &Arc<Self>, seat: &Arc<Seat>, events: &Events, room: &mut T::Room) -> bool {
        let mut first = None;
        for event in events.iter() {
            // There is no task if the socket is closed by now.
            let Some(task) = self.tasks.get(event.key) else { continue };
            if event.is_hung_up {
                task.is_hung_up.store(true, Ordering::Release);
            }
            if !task.turn.signal() {
                continue;
            }
            if first.is_none() {
                first = Some(task);
            } else {
                self.ready.push(task);
            }
        }
        if !self.ready.is_empty() {
            self.alert();
        }
        first.is_none_or(|task| self.serve(seat, &task, room))
    }

    /// Runs a task that the caller owns until it has seen everything. False if the worker is to end.
    fn serve(
        self: &Arc<Self>,
        seat: &Arc<Seat>,
        task: &Arc<Handle<T>>,
        room: &mut T::Room,
    ) -> bool {
        self.begin(seat);
        loop {
            let has_news = task.turn.begin();
            let signs = Signs { has_news, is_hung_up: task.is_hung_up.load(Ordering::Acquire) };
            let next = {
                let mut body = task.task.lock();
                let Some(body) = &mut *body else { break };
                catch_unwind(AssertUnwindSafe(|| body.run(room, signs)))
            };
            match next {
                Ok(Next::Wait(deadline)) => {
                    if task.deadline.set(deadline) {
                        self.push_timer(task);
                    }
                    if task.turn.release() {
                        break;
                    }
                }
                Ok(Next::Settle { others_follow }) => {
                    self.put_aside(Arc::clone(task), others_follow);
                    break;
                }
                Ok(Next::End) => {
                    self.remove(task);
                    break;
                }
                Err(_) => {
                    *room = T::Room::default();
                    self.remove(task);
                    break;
                }
            }
        }
        self.end(seat)
    }

    /// The worker is done with that. False if it is to end.
    fn end(&self, seat: &Arc<Seat>) -> bool {
        // It may be about to sleep, and leaves nothing to itself.
        if seat.is_detached() && self.is_pending() {
            self.call_worker();
        }
        self.crew.end(seat, SPARE_KEEP)
    }

    fn remove(&self, task: &Handle<T>) {
        // It stays owned, so whatever still signals it is ignored.
        let body = task.task.lock().take();
        // What its end does is its own. Until that is done it counts: its worker is held up by it.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(body)));
        self.tasks.remove(task.key);
    }

    /// The worker takes on something that may last.
    fn begin(&self, seat: &Seat) {
        seat.begin();
        if self.is_unattended() {
            self.alert();
        }
    }

    fn put_aside(&self, task: Arc<Handle<T>>, others_follow: bool) {
        let now = (self.clock)().as_micros() as u64;
        if self.unsettled.is_empty() {
            self.first_unsettled.store(now, Ordering::Relaxed);
        }
        self.last_unsettled.store(now, Ordering::Relaxed);
        self.others_follow.store(others_follow, Ordering::Relaxed);
        self.unsettled.push(task);
    }

    /// Whether tasks that are unsettled wait for others.
    fn is_gathering(&self) -> bool {
        // Nothing gathers when every task is there already.
        if self.unsettled.len() >= self.tasks.len() {
            return false;
        }
        let now = (self.clock)();
        let since = |micros: &AtomicU64| {
            now.saturating_sub(Duration::from_micros(micros.load(Ordering::Relaxed)))
        };
        since(&self.last_unsettled) < GATHER_PAUSE && since(&self.first_unsettled) < GATHER_MAX
    }

    /// Settles what is unsettled. False if the worker is to end.
    fn flush(&self, seat: &Arc<Seat>) -> bool {
        let is_allowed = |count: usize| (count < self.flushes_max).then_some(count + 1);
        if self.flushes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, is_allowed).is_err() {
            return true;
        }
        self.begin(seat);
        let mut tasks = self.unsettled.take();
        self.being_settled.fetch_add(tasks.len(), Ordering::SeqCst);
        if let Some(last) = tasks.back() {
            settle(last);
        }
        self.being_settled.fetch_sub(tasks.len(), Ordering::SeqCst);
        self.flushes.fetch_sub(1, Ordering::SeqCst);
        for task in tasks.drain(..) {
            let is_settled = task.task.lock().as_ref().is_none_or(T::is_settled);
            if is_settled { &*self.ready } else { &*self.unsettled }.push(task);
        }
        self.end(seat)
    }

    /// The worker that `seat` is will wait: another one takes its place if nobody polls.
    fn hand_over(self: &Arc<Self>, seat: &Seat) {
        if !self.crew.is_unpolled() {
            // It may wait for a lock that goes with a commit's flush.
            if self.is_pending() {
                self.poller.wake();
            }
        } else if !self.crew.rouse()
            && let Some(node) = self.crew.detach(seat, seat.word())
        {
            // If there is no thread the watch thread tries again.
            let _ = self.spawn(node);
        }
    }

    // The watch thread.

    fn push_timer(&self, task: &Handle<T>) {
        let mut timers = self.timers.lock();
        if timers.len() > 2 * self.tasks.len() + TIMERS_SLACK {
            timers.retain(|key| self.tasks.has(key));
        }
        if timers.push(task.key, &task.deadline) {
            self.watch.notify_all();
        }
    }

    fn keep_watch(self: Arc<Self>) {
        let mut seen = Vec::new();
        let mut quiet = 0;
        let mut was_pending = false;
        while !self.is_closing() {
            let next = self.fire_timers();
            let is_alert = self.is_alert.load(Ordering::SeqCst);
            if is_alert {
                let is_pending = self.is_pending();
                let is_unattended = self.is_unattended();
                if is_unattended {
                    self.replace_stuck(&mut seen);
                } else {
                    seen.clear();
                    if is_pending && was_pending {
                        self.poller.wake();
                    }
                }
                was_pending = is_pending;
                quiet = if is_unattended || is_pending { 0 } else { quiet + 1 };
                if quiet > QUIET_TICKS {
                    quiet = 0;
                    self.is_alert.store(false, Ordering::SeqCst);
                    // What came in between found it alert.
                    if self.is_unattended() || self.is_pending() {
                        self.is_alert.store(true, Ordering::SeqCst);
                    }
                }
            }
            let mut timers = self.timers.lock();
            if self.is_closing() || timers.next() != next {
                continue;
            }
            if self.is_alert.load(Ordering::SeqCst) {
                self.watch.wait_for(&mut timers, TICK);
            } else if let Some(next) = next {
                self.watch.wait_for(&mut timers, next.saturating_sub((self.clock)()));
            } else {
                self.watch.wait(&mut timers);
            }
        }
    }

    /// Signals tasks whose deadlines have passed. When the next one is due.
    fn fire_timers(&self) -> Option<Duration> {
        let mut over = Vec::new();
        let next = {
            let mut timers = self.timers.lock();
            timers.next()?;
            let now = (self.clock)();
            while let Some(entry) = timers.pop(now) {
                let Some(task) = self.tasks.get(entry.1) else { continue };
                if timers.is_over(entry, &task.deadline, now) {
                    over.push(entry.1);
                }
            }
            timers.next()
        };
        for key in over {
            self.signal(key);
        }
        next
    }

    /// Nobody polls: one who rests is to, or else others get the permits of those who have not got on since the last tick.
    fn replace_stuck(self: &Arc<Self>, seen: &mut Vec<(Arc<Seat>, u64)>) {
        if self.crew.rouse() {
            return;
        }
        for node in self.crew.detach_stuck(seen) {
            let _ = self.spawn(node);
        }
        // Permits are left if a thread could not be started.
        while let Some(node) = self.crew.reserve() {
            if self.spawn(node).is_err() {
                break;
            }
        }
    }
}

/// The nodes of so many permits: to each as large a part of them as it has of the processors.
fn spread(permits: usize, nodes: &[Node]) -> Vec<usize> {
    let mut given = vec![0; nodes.len()];
    let give = |_| {
        // The node that would have the least for a processor. Of a single one they may be unknown.
        let load = |node: &usize| (given[*node] + 1) as f64 / nodes[*node].cpus.len().max(1) as f64;
        let least = |a: &usize, b: &usize| load(a).total_cmp(&load(b));
        let node = (0..nodes.len()).min_by(least).expect("there is a node");
        given[node] += 1;
        node
    };
    (0..permits).map(give).collect()
}

fn settle<T: Task>(task: &Handle<T>) {
    if let Some(task) = &mut *task.task.lock() {
        // A panic is met again, and caught, where the task runs.
        let _ = catch_unwind(AssertUnwindSafe(|| task.settle()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use damask::topology::OneNode;
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// A task that is settled once, which takes as long as somebody likes, and then ends.
    struct Slow {
        /// Told when it is being settled, and when it ends.
        tells: Sender<&'static str>,
        /// It is settled when this is dropped.
        until: Receiver<()>,
        is_settled: bool,
        _socket: UnixStream,
    }

    impl Task for Slow {
        type Room = ();

        fn run(&mut self, (): &mut (), signs: Signs) -> Next {
            match (self.is_settled, signs.has_news) {
                (true, _) => {
                    self.tells.send("ends").unwrap();
                    Next::End
                }
                (false, true) => Next::Settle { others_follow: false },
                (false, false) => Next::Wait(None),
            }
        }

        fn is_settled(&self) -> bool {
            self.is_settled
        }

        fn settle(&mut self) {
            self.tells.send("settles").unwrap();
            self.until.recv().unwrap_err();
            self.is_settled = true;
        }
    }

    /// Adds a task to a pool, which begins when its client writes: that, what it tells, and what it waits for.
    fn add_silent(pool: &Pool<Slow>, key: u64) -> (UnixStream, Receiver<&'static str>, Sender<()>) {
        let (client, socket) = UnixStream::pair().unwrap();
        let ((tells, told), (end, until)) = (channel(), channel());
        // The task has the socket; that it is watched goes on until the last handle is closed.
        let watched = socket.try_clone().unwrap();
        let slow = Slow { tells, until, is_settled: false, _socket: socket };
        pool.add(key, slow, &watched).unwrap();
        (client, told, end)
    }

    /// The same, and lets it begin.
    fn add(pool: &Pool<Slow>, key: u64) -> (UnixStream, Receiver<&'static str>, Sender<()>) {
        let (mut client, told, end) = add_silent(pool, key);
        client.write_all(b"x").unwrap();
        (client, told, end)
    }

    /// What a task tells next.
    fn next(told: &Receiver<&'static str>) -> &'static str {
        told.recv_timeout(Duration::from_mins(1)).expect("it gets on")
    }

    fn pool(flushes_max: usize) -> Arc<Pool<Slow>> {
        pool_at(Arc::new(|| Duration::ZERO), flushes_max)
    }

    fn pool_at(clock: Clock, flushes_max: usize) -> Arc<Pool<Slow>> {
        Pool::start(clock, Arc::new(OneNode::default()), flushes_max).unwrap()
    }

    #[test]
    fn flushes_are_under_way_beside_each_other() {
        let pool = pool(2);
        let (_first, told_first, end_first) = add(&pool, 1);
        assert_eq!(next(&told_first), "settles");
        let (_second, told_second, end_second) = add(&pool, 2);
        // The first has not ended, and will not before the second.
        assert_eq!(next(&told_second), "settles");
        drop(end_second);
        assert_eq!(next(&told_second), "ends");
        drop(end_first);
        assert_eq!(next(&told_first), "ends");
        pool.close();
    }

    #[test]
    fn one_flush_at_a_time_gathers_the_rest() {
        let pool = pool(1);
        let (_first, told_first, end_first) = add(&pool, 1);
        assert_eq!(next(&told_first), "settles");
        let (_second, told_second, end_second) = add(&pool, 2);
        drop(end_second);
        while pool.unsettled.is_empty() {
            thread::yield_now();
        }
        assert!(!pool.can_flush() && told_second.try_recv().is_err());
        drop(end_first);
        assert_eq!(next(&told_first), "ends");
        assert_eq!([next(&told_second), next(&told_second)], ["settles", "ends"]);
        pool.close();
    }

    #[test]
    fn what_is_to_be_settled_waits_for_more_while_more_comes() {
        let micros = Arc::new(AtomicU64::new(0));
        let time = Arc::clone(&micros);
        let pool = pool_at(Arc::new(move || Duration::from_micros(time.load(Ordering::SeqCst))), 1);
        // While this one is settled the others stay where they are; the last of them never comes.
        let first = add(&pool, 1);
        assert_eq!(next(&first.1), "settles");
        let mut others: Vec<_> = (2..=8).map(|key| add_silent(&pool, key)).collect();
        let gathers_at = |now| {
            micros.store(now, Ordering::SeqCst);
            pool.is_gathering()
        };
        let came = [0, 1_900, 3_800, 5_700, 7_600, 7_900];
        for (count, (now, (client, ..))) in (1..).zip(came.into_iter().zip(&mut others)) {
            micros.store(now, Ordering::SeqCst);
            client.write_all(b"x").unwrap();
            while pool.unsettled.len() < count {
                thread::yield_now();
            }
            let end = (now + 2_000).min(8_000);
            assert!(gathers_at(end - 1) && !gathers_at(end), "{count} until {end}");
        }
        pool.close();
        drop((first, others));
    }

    #[test]
    fn no_more_workers_poll_than_there_are_tasks() {
        let pool = pool(1);
        let permits = thread::available_parallelism().map_or(2, usize::from).max(2);
        let until_rest = |count| {
            let is_so = |_| {
                thread::park_timeout(TICK);
                pool.crew.resting_count() == count
            };
            assert!((0..60_000).any(is_so), "{count} are to rest");
        };
        until_rest(permits - 1);
        let silent = (1..=permits as u64).map(|key| add_silent(&pool, key));
        let (clients, ends): (Vec<_>, Vec<_>) =
            silent.map(|(client, told, end)| ((client, told), end)).unzip();
        until_rest(0);
        drop(ends);
        for (mut client, told) in clients {
            client.write_all(b"x").unwrap();
            while next(&told) != "ends" {}
        }
        until_rest(permits - 1);
        pool.close();
    }

    /// A task that ends at once, which takes as long as somebody likes.
    struct Leaving {
        tells: Sender<()>,
        until: Receiver<()>,
        _socket: UnixStream,
    }

    impl Task for Leaving {
        type Room = ();

        fn run(&mut self, (): &mut (), signs: Signs) -> Next {
            if signs.has_news { Next::End } else { Next::Wait(None) }
        }

        fn is_settled(&self) -> bool {
            true
        }

        fn settle(&mut self) {}
    }

    impl Drop for Leaving {
        fn drop(&mut self) {
            self.tells.send(()).unwrap();
            self.until.recv().unwrap_err();
        }
    }

    #[test]
    fn workers_that_are_held_up_by_the_ends_of_tasks_are_replaced() {
        let pool =
            Pool::start(Arc::new(|| Duration::ZERO), Arc::new(OneNode::default()), 1).unwrap();
        let permits = thread::available_parallelism().map_or(2, usize::from).max(2);
        let leave = |key| {
            let (mut client, socket) = UnixStream::pair().unwrap();
            let ((tells, told), (end, until)) = (channel(), channel());
            let watched = socket.try_clone().unwrap();
            pool.add(key, Leaving { tells, until, _socket: socket }, &watched).unwrap();
            client.write_all(b"x").unwrap();
            (client, watched, told, end)
        };
        // As many as there are permits, and one more, which comes to its end beside them.
        let leaving: Vec<_> = (0..=permits as u64).map(leave).collect();
        for (_, _, told, _) in &leaving {
            told.recv_timeout(Duration::from_mins(1)).expect("it gets to its end");
        }
        drop(leaving);
        pool.close();
    }

    #[test]
    fn permits_are_spread_by_processors() {
        let counts = |permits, cpu_counts: &[usize]| {
            let node = |(number, count): (usize, &usize)| Node {
                number: number as u32,
                cpus: (0..*count).collect(),
            };
            let nodes: Vec<Node> = cpu_counts.iter().enumerate().map(node).collect();
            let mut counts = vec![0; nodes.len()];
            for node in spread(permits, &nodes) {
                counts[node] += 1;
            }
            counts
        };
        assert_eq!(counts(2, &[0]), [2]);
        assert_eq!(counts(8, &[4, 4]), [4, 4]);
        assert_eq!(counts(12, &[8, 4]), [8, 4]);
        assert_eq!(counts(3, &[8, 8, 8, 8]), [1, 1, 1, 0]);
        assert_eq!(counts(6, &[64, 32]), [4, 2], "fewer than processors");
    }
}
