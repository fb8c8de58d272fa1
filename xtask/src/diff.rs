//! `cargo xtask diff`: what differs between two releases, from their tarballs alone.

use hub_codegen::pack::inventory::release::{compare, read, text};
use hub_codegen::report::{Finished, Status, finished_line};

use crate::Outcome;
use crate::cli::{DiffArgs, DiffFormat};

/// Runs `diff`.
pub fn run(args: &DiffArgs) -> Outcome {
    let programs = args.message_format == DiffFormat::Json;
    let (before, after) = match read(&args.before).and_then(|before| Ok((before, read(&args.after)?))) {
        Ok(releases) => releases,
        Err(what) => {
            if programs {
                println!("{}", finished_line(&Finished { errors: 1, ..Finished::default() }));
            }
            eprintln!("error: {what}");
            return Outcome::Usage;
        }
    };
    let changes = compare(&before, &after);
    if programs {
        changes.iter().for_each(|change| println!("{}", change.json()));
        println!("{}", finished_line(&Finished { status: Status::Ok, ..Finished::default() }));
    } else {
        print!("{}", text(&before, &after, &changes));
    }
    Outcome::Done
}
