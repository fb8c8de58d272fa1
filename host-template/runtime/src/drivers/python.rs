//! A Python program that is asked one thing: JSON on its standard input, what it prints as the answer.

use std::path::Path;

use super::python_path;
use crate::process::Job;

/// Most bytes that are read of either output.
pub(crate) const MOST: usize = 1024 * 1024;

/// A job of Python's with a script, its input, and the data folder's drivers on its path.
pub(crate) fn python(mut job: Job, data: &Path, script: &str, input: String) -> Job {
    job.arguments = vec!["-c".to_owned(), script.to_owned()];
    job.input = input;
    // A set that is installed stays as pip left it.
    job.environment.insert("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned());
    job.environment.insert("PYTHONIOENCODING".to_owned(), "utf-8".to_owned());
    if let Some(path) = python_path(data).and_then(|path| path.to_str().map(str::to_owned)) {
        job.environment.insert("PYTHONPATH".to_owned(), path);
    }
    job
}
