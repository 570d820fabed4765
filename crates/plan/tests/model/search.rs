//! The search: every state that can be reached, the first in which somebody is refused, and whether a way leads from each to the
//! end.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::rules::{Rules, Truth};
use crate::state::{Folder, State};
use crate::world::World;

/// What a search found.
pub struct Searched {
    pub states: usize,
    pub ends: usize,
    /// The steps that lead to the first broken edge.
    pub broken: Option<Vec<String>>,
}

/// The states found so far.
struct Graph {
    numbers: BTreeMap<String, usize>,
    came: Vec<Option<(usize, String)>>,
    before: Vec<BTreeSet<usize>>,
    /// Kept where older state folders are to be put in their place.
    states: Vec<State>,
    queue: VecDeque<usize>,
}

impl Graph {
    fn add(&mut self, state: State, from: Option<(usize, String)>) {
        let fresh = self.numbers.len();
        let to = *self.numbers.entry(state.key()).or_insert(fresh);
        if to == fresh {
            self.came.push(from.clone());
            self.before.push(BTreeSet::new());
            self.states.push(state);
            self.queue.push_back(to);
        }
        if let Some((from, _)) = from {
            self.before[to].insert(from);
        }
        assert!(self.numbers.len() < 2_000_000, "the search grows without end");
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

    /// Follows every step from every state; answers the way to the first broken one.
    fn run(&mut self, truth: &Truth, rules: Rules) -> Option<Vec<String>> {
        while let Some(at) = self.queue.pop_front() {
            let state = self.states[at].clone();
            if let Some(what) = state.broken(truth).or_else(|| state.forgotten(rules.program)) {
                return Some(self.way(at, what));
            }
            for (step, after) in state.steps(truth, rules) {
                self.add(after, Some((at, step)));
            }
        }
        None
    }

    /// The state folders that the states on the way to this one had, each once.
    fn earlier(&self, mut at: usize) -> Vec<Folder> {
        let mut seen = BTreeSet::from([self.states[at].folder_key()]);
        let mut folders = Vec::new();
        while let Some((from, _)) = &self.came[at] {
            at = *from;
            if seen.insert(self.states[at].folder_key()) {
                folders.push(self.states[at].folder.clone());
            }
        }
        folders
    }
}

/// Searches a world. With `restores`, a person may once put any earlier state folder in the place of the present one.
pub fn search(world: World, truth: &Truth, rules: Rules, restores: bool) -> Searched {
    let first = State::new(world, truth);
    assert_eq!(first.broken(truth), None, "the world begins in order");
    let mut graph = Graph {
        numbers: BTreeMap::new(),
        came: Vec::new(),
        before: Vec::new(),
        states: Vec::new(),
        queue: VecDeque::new(),
    };
    let empty = Folder::default();
    graph.add(first, None);
    let mut broken = graph.run(truth, rules);
    if restores && broken.is_none() {
        for at in 0..graph.states.len() {
            let state = graph.states[at].clone();
            if !state.rests() {
                continue;
            }
            for folder in graph.earlier(at).iter().chain([&empty]) {
                graph.add(state.restored(folder), Some((at, "an earlier state folder is put back".to_owned())));
            }
        }
        broken = graph.run(truth, rules);
    }
    let ends: BTreeSet<usize> = match broken {
        Some(_) => BTreeSet::new(),
        None => (0..graph.states.len()).filter(|at| graph.states[*at].is_end()).collect(),
    };
    if broken.is_none() {
        // From everywhere a way leads to the end.
        let mut good = ends.clone();
        let mut open: Vec<usize> = ends.iter().copied().collect();
        while let Some(at) = open.pop() {
            open.extend(graph.before[at].iter().copied().filter(|from| good.insert(*from)).collect::<Vec<_>>());
        }
        let stuck = (0..graph.states.len()).find(|at| !good.contains(at));
        if let Some(at) = stuck {
            panic!("no way to the end: {:#?}", graph.way(at, "and from here there is none".to_owned()));
        }
    }
    Searched { states: graph.states.len(), ends: ends.len(), broken }
}
