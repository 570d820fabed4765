//! Spreads work over threads. It takes a slice of questions and a function that answers one, and gives the answers in
//! the order of the questions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread;

/// Answers every question on as many threads as there are processors. Each question is answered on one thread.
pub(crate) fn map<Q: Sync, A: Send>(questions: &[Q], answer: impl Fn(&Q) -> A + Sync) -> Vec<A> {
    let workers = thread::available_parallelism().map_or(1, std::num::NonZero::get).min(questions.len());
    if workers <= 1 {
        return questions.iter().map(answer).collect();
    }
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<(usize, A)>> = Mutex::new(Vec::with_capacity(questions.len()));
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let (index, Some(question)) = take(&next, questions) {
                    let one = answer(question);
                    answers.lock().unwrap_or_else(PoisonError::into_inner).push((index, one));
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap_or_else(PoisonError::into_inner);
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, one)| one).collect()
}

/// Reported for one question while all questions are answered.
pub(crate) enum Progress<'a, A> {
    /// Work on the question with this index has begun.
    Begun(usize),
    /// The answer to the question with this index.
    Done(usize, &'a A),
}

/// Answers every question on at most `threads` threads, which take the questions in their order. `tell` hears of each
/// question as it begins and ends, on the caller's own thread. The answers come in the order of the questions.
pub(crate) fn map_with_events<Q: Sync, A: Send>(
    threads: usize,
    questions: &[Q],
    answer: impl Fn(&Q) -> A + Sync,
    mut tell: impl FnMut(Progress<'_, A>),
) -> Vec<A> {
    let workers = threads.min(questions.len());
    if workers <= 1 {
        let one = |(index, question)| {
            tell(Progress::Begun(index));
            let one = answer(question);
            tell(Progress::Done(index, &one));
            one
        };
        return questions.iter().enumerate().map(one).collect();
    }
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::channel();
    let mut answers = Vec::with_capacity(questions.len());
    thread::scope(|scope| {
        for _ in 0..workers {
            let (sender, next, answer) = (sender.clone(), &next, &answer);
            scope.spawn(move || {
                while let (index, Some(question)) = take(next, questions) {
                    // The receiver outlives this scope.
                    let _heard = sender.send((index, None));
                    let _heard = sender.send((index, Some(answer(question))));
                }
            });
        }
        drop(sender);
        for (index, news) in receiver {
            match news {
                None => tell(Progress::Begun(index)),
                Some(one) => {
                    tell(Progress::Done(index, &one));
                    answers.push((index, one));
                }
            }
        }
    });
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, one)| one).collect()
}

fn take<'a, Q>(next: &AtomicUsize, questions: &'a [Q]) -> (usize, Option<&'a Q>) {
    let index = next.fetch_add(1, Ordering::Relaxed);
    (index, questions.get(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_the_questions() {
        let questions: Vec<usize> = (0..500).collect();
        let answers = map(&questions, |q| {
            if q % 7 == 0 {
                thread::yield_now();
            }
            q * 2
        });
        assert_eq!(answers, questions.iter().map(|q| q * 2).collect::<Vec<_>>());
        assert!(map(&Vec::<usize>::new(), |q| *q).is_empty());
        for threads in [0, 1, 4] {
            let (mut begun, mut done) = (0, 0);
            let answers = map_with_events(
                threads,
                &questions,
                |q| q * 2,
                |news| match news {
                    Progress::Begun(_) => begun += 1,
                    Progress::Done(index, answer) => done += usize::from(*answer == index * 2),
                },
            );
            assert_eq!(answers, questions.iter().map(|q| q * 2).collect::<Vec<_>>());
            assert_eq!((begun, done), (500, 500));
        }
    }
}
