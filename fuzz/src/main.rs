//! The runner on stable Rust as a program: `hub-fuzz [--runs N] [--seed N] [--findings DIR] [TARGET]...`. People start it through
//! `cargo xtask fuzz`.

use std::path::PathBuf;
use std::process::ExitCode;

use hub_fuzz::bounds::Counting;
use hub_fuzz::run::run;
use hub_fuzz::targets::TARGETS;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn main() -> ExitCode {
    let (mut runs, mut seed, mut findings) = (1_000_000, 1, PathBuf::from("target/fuzz/findings"));
    let mut wanted: Vec<String> = Vec::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse::<u64>().ok());
        match argument.as_str() {
            "--runs" => runs = number().unwrap_or(runs),
            "--seed" => seed = number().unwrap_or(seed),
            "--findings" => findings = arguments.next().map_or(findings, PathBuf::from),
            _ => wanted.push(argument),
        }
    }
    let mut sound = true;
    for target in
        TARGETS.iter().filter(|target| wanted.is_empty() || wanted.iter().any(|name| name == target.name))
    {
        let name = target.name;
        match run(*target, runs, seed, &findings) {
            Ok(summary) => {
                println!(
                    "{name}: {} inputs in {:.1} s, slowest {:.0} ms, largest {:.1} MB, {} findings",
                    summary.inputs,
                    summary.took.as_secs_f32(),
                    summary.slowest.as_secs_f32() * 1000.0,
                    summary.largest as f32 / f32::from(1u16 << 10) / 1024.0,
                    summary.findings.len()
                );
                for (problem, file) in &summary.findings {
                    println!("  {}\n    {problem}", file.display());
                }
                sound &= summary.findings.is_empty();
            }
            Err(error) => {
                eprintln!("{name}: the corpus cannot be read, or a finding not written: {error}");
                sound = false;
            }
        }
    }
    if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
