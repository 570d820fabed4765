//! A JVM as the judge of stores: one process for all questions of a test.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::Value;

use super::fixtures;

/// One JVM for all questions of a test.
pub struct Judge {
    process: Child,
    questions: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Judge {
    /// `None` only where judges are switched off by name.
    pub fn start() -> Option<Self> {
        if std::env::var("TRUSTMASON_JUDGES").is_ok_and(|value| value == "off") {
            eprintln!("TRUSTMASON_JUDGES=off: nothing was judged");
            return None;
        }
        let mut process = Command::new("java")
            .arg(fixtures().join("judge/KeystoreJudge.java"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a JVM is needed here; set TRUSTMASON_JUDGES=off where there is none");
        let questions = process.stdin.take();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let mut judge = Self { process, questions, answers };
        eprintln!("judge: {}", judge.ask(&["version"]));
        Some(judge)
    }

    pub fn ask(&mut self, fields: &[&str]) -> Value {
        writeln!(self.questions.as_mut().unwrap(), "{}", fields.join("\t")).unwrap();
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Entries by alias.
    pub fn dump(&mut self, kind: &str, path: &Path, passwords: &[&str]) -> BTreeMap<String, Value> {
        self.try_dump(kind, path, passwords).unwrap_or_else(|answer| panic!("{answer}"))
    }

    /// Entries by alias, or the JVM's refusal.
    pub fn try_dump(&mut self, kind: &str, path: &Path, passwords: &[&str]) -> Result<BTreeMap<String, Value>, String> {
        let mut fields = vec!["dump", kind, path.to_str().unwrap()];
        fields.extend(passwords);
        let answer = self.ask(&fields);
        if answer["ok"] != true {
            return Err(answer.to_string());
        }
        let entry = |entry: &Value| (entry["alias"].as_str().unwrap().to_owned(), entry.clone());
        Ok(answer["entries"].as_array().unwrap().iter().map(entry).collect())
    }
}

impl Drop for Judge {
    fn drop(&mut self) {
        self.questions = None;
        self.process.wait().ok();
    }
}
