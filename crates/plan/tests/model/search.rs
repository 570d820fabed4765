//! The search: every state that can be reached, the first state in which a client refuses its server, and whether a way
//! leads from each state to the end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use trustmason_keystore::Digest;

use super::rules::{Rules, Truth};
use super::state::{Folder, State};
use crate::world::World;

/// The result of a search.
pub struct Searched {
    pub states: usize,
    pub ends: usize,
    /// The steps that lead to the first broken edge.
    pub broken: Option<Vec<String>>,
}

/// The states that were found so far, by number.
struct Graph {
    /// The numbers of the states, by the digest of each state's key.
    numbers: BTreeMap<Digest, usize>,
    came: Vec<Option<(usize, String)>>,
    before: Vec<BTreeSet<usize>>,
    /// The states whose steps are not followed yet. If older state folders are to be put back, all states.
    states: Vec<Option<State>>,
    keeps: bool,
    ends: BTreeSet<usize>,
    /// The states in which no run is at work and every disk can be seen.
    rests: BTreeSet<usize>,
    /// The states that follow if a person does what is printed.
    lines: BTreeMap<usize, Vec<usize>>,
    queue: VecDeque<usize>,
}

impl Graph {
    fn add(&mut self, state: State, from: Option<(usize, String)>) -> usize {
        let fresh = self.numbers.len();
        let to = *self.numbers.entry(Digest::of(state.key().as_bytes())).or_insert(fresh);
        if to == fresh {
            self.came.push(from.clone());
            self.before.push(BTreeSet::new());
            self.states.push(Some(state));
            self.queue.push_back(to);
        }
        if let Some((from, _)) = from {
            self.before[to].insert(from);
        }
        assert!(self.numbers.len() < 2_000_000, "the search grows without end");
        to
    }

    fn way(&self, mut at: usize, what: String) -> Vec<String> {
        let mut way = vec![what];
        while let Some((from, step)) = &self.came[at] {
            way.push(step.clone());
            at = *from;
        }
        way.reverse();
        way
    }

    /// Follows every step from every state; returns the way to the first broken one.
    fn run(&mut self, truth: &Truth, rules: Rules) -> Option<Vec<String>> {
        while let Some(at) = self.queue.pop_front() {
            let state = if self.keeps { self.states[at].clone() } else { self.states[at].take() };
            let state = state.expect("a state is followed once");
            if let Some(what) = state.broken(truth).or_else(|| state.forgotten(rules.program)) {
                return Some(self.way(at, what));
            }
            if state.is_end() {
                self.ends.insert(at);
            }
            if state.is_seen_at_rest() {
                self.rests.insert(at);
            }
            for (step, after) in state.steps(truth, rules) {
                let printed = is_printed(&step);
                let to = self.add(after, Some((at, step)));
                if printed && to != at {
                    self.lines.entry(at).or_default().push(to);
                }
            }
        }
        None
    }

    /// The state folders of the states on the way to this one, each once.
    fn earlier(&self, state: &State, mut at: usize) -> Vec<Folder> {
        let mut seen = BTreeSet::from([state.folder_key(&state.folder)]);
        let mut folders = Vec::new();
        while let Some((from, _)) = &self.came[at] {
            at = *from;
            if let Some(before) = &self.states[at]
                && seen.insert(state.folder_key(&before.folder))
            {
                folders.push(before.folder.clone());
            }
        }
        folders
    }

    /// A person who only follows the printed lines gets to the end from every state in which no run is at work. No line
    /// leads in a circle, and a state without a line is the end.
    fn lines_lead_to_the_end(&self) {
        // Depth first: a state stays open while the states after it are followed.
        let (mut open, mut done) = (BTreeSet::new(), BTreeSet::new());
        for first in self.rests.iter().copied() {
            let mut way = vec![(first, 0)];
            while let Some((at, next)) = way.pop() {
                if done.contains(&at) {
                    continue;
                }
                open.insert(at);
                let lines = self.lines.get(&at).map_or(&[][..], Vec::as_slice);
                if let Some(to) = lines.get(next) {
                    way.push((at, next + 1));
                    assert!(!open.contains(to), "the lines lead in a circle: {:#?}", self.way(at, "again".to_owned()));
                    way.push((*to, 0));
                    continue;
                }
                let ended = !lines.is_empty() || self.ends.contains(&at);
                assert!(ended, "no line says how to go on: {:#?}", self.way(at, "and here nothing is said".to_owned()));
                open.remove(&at);
                done.insert(at);
            }
        }
    }

    /// A way leads from every state to the end.
    fn none_is_stuck(&self) {
        let mut good = self.ends.clone();
        let mut open: Vec<usize> = self.ends.iter().copied().collect();
        while let Some(at) = open.pop() {
            open.extend(self.before[at].iter().copied().filter(|from| good.insert(*from)).collect::<Vec<_>>());
        }
        if let Some(at) = (0..self.came.len()).find(|at| !good.contains(at)) {
            panic!("no way to the end: {:#?}", self.way(at, "and from here there is none".to_owned()));
        }
    }
}

/// Whether a command printed this step: to apply, which writes its stores, or to restart the services that count and
/// report it.
fn is_printed(step: &str) -> bool {
    step == "a run begins" || step.ends_with(" is written") || step.ends_with(" is restarted and acknowledged")
}

/// Searches a world. With `restores`, a person may once replace the state folder by any earlier one.
pub fn search(world: World, truth: &Truth, rules: Rules, restores: bool) -> Searched {
    let first = State::new(world, truth);
    assert_eq!(first.broken(truth), None, "the world begins in order");
    let mut graph = Graph {
        numbers: BTreeMap::new(),
        came: Vec::new(),
        before: Vec::new(),
        states: Vec::new(),
        keeps: restores,
        ends: BTreeSet::new(),
        rests: BTreeSet::new(),
        lines: BTreeMap::new(),
        queue: VecDeque::new(),
    };
    let empty = Folder::default();
    graph.add(first, None);
    let mut broken = graph.run(truth, rules);
    if restores && broken.is_none() {
        for at in 0..graph.states.len() {
            let Some(state) = graph.states[at].clone().filter(State::rests) else { continue };
            for folder in graph.earlier(&state, at).iter().chain([&empty]) {
                graph.add(state.restored(folder), Some((at, "an earlier state folder is put back".to_owned())));
            }
        }
        broken = graph.run(truth, rules);
    }
    if broken.is_none() {
        graph.none_is_stuck();
        graph.lines_lead_to_the_end();
    }
    Searched { states: graph.came.len(), ends: graph.ends.len(), broken }
}
