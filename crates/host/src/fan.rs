//! Work spread over the machine's processors, answers in the order of the questions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Answers every question, on as many threads as there are processors; one question runs on one thread.
pub(crate) fn out<Q: Sync, A: Send>(questions: &[Q], answer: impl Fn(&Q) -> A + Sync) -> Vec<A> {
    let hands = thread::available_parallelism().map_or(1, std::num::NonZero::get).min(questions.len());
    if hands <= 1 {
        return questions.iter().map(answer).collect();
    }
    let next = AtomicUsize::new(0);
    let answers: Mutex<Vec<(usize, A)>> = Mutex::new(Vec::with_capacity(questions.len()));
    thread::scope(|scope| {
        for _ in 0..hands {
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
        let answers = out(&questions, |q| {
            if q % 7 == 0 {
                thread::yield_now();
            }
            q * 2
        });
        assert_eq!(answers, questions.iter().map(|q| q * 2).collect::<Vec<_>>());
        assert!(out(&Vec::<usize>::new(), |q| *q).is_empty());
    }
}
