//! Which node a permit goes to. (The schedules are [`super::model`]'s.)

use super::crew::{Crew, Seat};
use std::sync::{Arc, Barrier};
use std::thread::ScopedJoinHandle;
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

/// Workers with all permits of a crew.
fn full(crew: &Crew) -> Vec<Arc<Seat>> {
    let mut seats = Vec::new();
    while let Some(node) = crew.reserve() {
        seats.push(crew.join(node));
    }
    seats
}

#[test]
fn a_place_is_taken_on_the_same_node() {
    let crew = Crew::new(vec![0, 1, 1]);
    let seats = full(&crew);
    assert_eq!(seats.len(), 3);
    for seat in &seats {
        seat.begin();
        assert_eq!(crew.detach(seat, seat.word()), Some(seat.node()));
    }
    // Who has got on meanwhile keeps its permit; two threads could not be started.
    let late = crew.join(0);
    let word = late.word();
    late.begin();
    assert_eq!(crew.detach(&late, word), None);
    crew.give_back(1);
    crew.give_back(1);
    // Workers that are done take what is left of their own node, and else what there is.
    let of_node = |node| seats.iter().find(|seat| seat.node() == node).expect("there is one");
    let (zero, one) = (of_node(0), of_node(1));
    assert!(crew.end(one, Duration::ZERO));
    assert_eq!((one.node(), crew.nodes_left()), (1, vec![1]));
    assert!(crew.end(zero, Duration::ZERO));
    assert_eq!((zero.node(), crew.nodes_left()), (1, vec![]), "it moves");
    for seat in [zero, one, &late] {
        crew.leave(seat);
    }
    assert_eq!(crew.nodes_left(), [0, 1, 1]);
}

/// Sends everybody home when the test ends, by a panic too.
struct Until<'c>(&'c Crew);

impl Drop for Until<'_> {
    fn drop(&mut self) {
        self.0.dismiss();
    }
}

#[test]
fn a_worker_to_spare_moves_to_the_node_that_needs_it() {
    let crew = Crew::new(vec![0, 1]);
    let seats = full(&crew);
    let lose = |seat: &Seat| {
        seat.begin();
        crew.detach(seat, seat.word())
    };
    std::thread::scope(|scope| {
        let _until = Until(&crew);
        // Workers that have lost their permits and then, all of them, are done: they sleep until they are given others, whose nodes they tell.
        let sleep = |nodes: &[usize]| {
            let lost = Arc::new(Barrier::new(nodes.len()));
            let worker = |node: &usize| {
                let (crew, lost, node) = (&crew, Arc::clone(&lost), *node);
                scope.spawn(move || {
                    let seat = crew.join(node);
                    assert_eq!(lose(&seat), Some(node));
                    lost.wait();
                    crew.end(&seat, LONG).then(|| seat.node())
                })
            };
            let threads: Vec<_> = nodes.iter().map(worker).collect();
            while crew.spare_count() < nodes.len() {
                std::thread::yield_now();
            }
            threads
        };
        let given = |threads: Vec<ScopedJoinHandle<'_, Option<usize>>>| {
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        };
        let sleeping = sleep(&[0, 1]);
        assert_eq!([&seats[0], &seats[1]].map(|seat| lose(seat)), [None, None], "they take over");
        assert_eq!(given(sleeping), [Some(0), Some(1)]);
        let far = sleep(&[1]);
        assert_eq!(lose(&crew.join(0)), None);
        assert_eq!(given(far), [Some(0)], "it moves");
    });
}
