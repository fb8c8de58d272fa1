//! What holds for any plugins at all: their order, the chains of their claims, and that findings follow from what the files
//! say and not from the order in which they were read. A case that fails prints its seed; `HUB_SEED=<seed>`
//! runs it alone, and `HUB_FUZZ_RUNS` makes more of them.

mod fixture;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;

use fastrand::Rng;
use fixture::Fixture;
use hub_codegen::load::migrations::OfPlatform;
use hub_codegen::load::websource;
use hub_codegen::pipeline::Front;
use hub_codegen::resolve::{Platform, Resolved, resolve};
use hub_fuzz::mutate::mutated;
use hub_manifest::diagnostic::{Diagnostic, Level};
use hub_manifest::rules::order::{Constraints, plugin_order};
use semver::Version;

/// Runs many cases, each from a seed of its own.
fn cases(count: u64, case: impl Fn(&mut Rng)) {
    let number = |variable: &str| std::env::var(variable).ok().and_then(|text| text.parse::<u64>().ok());
    let count = number("HUB_FUZZ_RUNS").unwrap_or(count);
    let seeds = number("HUB_SEED").map_or(0..count, |seed| seed..seed + 1);
    for seed in seeds {
        let result = catch_unwind(AssertUnwindSafe(|| case(&mut Rng::with_seed(seed))));
        if let Err(panic) = result {
            eprintln!("HUB_SEED={seed} gives this case again");
            resume_unwind(panic);
        }
    }
}

/// Half of the slugs sort against their number.
fn slug_of(n: usize) -> String {
    if n.is_multiple_of(2) { format!("p{n}") } else { format!("a{}", 99 - n) }
}

/// Up to two numbers below `bound`.
fn some(rng: &mut Rng, bound: usize) -> Vec<usize> {
    (0..rng.usize(..3)).filter(|_| bound > 0).map(|_| rng.usize(..bound)).collect()
}

fn slugs(numbers: &[usize]) -> BTreeSet<String> {
    numbers.iter().map(|n| slug_of(*n)).collect()
}

/// Those that a plugin waits for, as far as they are there.
fn waits_for<'a>(plugins: &'a BTreeMap<String, Constraints>, slug: &str) -> BTreeSet<&'a str> {
    let own = plugins.get(slug).into_iter().flat_map(|own| own.dependencies.iter().chain(&own.after));
    own.map(String::as_str).filter(|other| plugins.contains_key(*other)).collect()
}

/// The smallest slug that waits for nothing, again and again; none where all that are left wait.
fn slowly(plugins: &BTreeMap<String, Constraints>) -> Option<Vec<String>> {
    let mut order: Vec<String> = Vec::new();
    while order.len() < plugins.len() {
        let there = |slug: &str| order.iter().any(|other| other == slug);
        let free = |slug: &&String| !there(slug) && waits_for(plugins, slug).into_iter().all(there);
        let next = plugins.keys().find(free)?.clone();
        order.push(next);
    }
    Some(order)
}

#[test]
fn an_order_keeps_every_constraint_and_a_cycle_is_one() {
    cases(3000, |rng| {
        // Numbers past the last are plugins that are not there.
        let count = rng.usize(..12);
        let mut constraints =
            || Constraints { dependencies: slugs(&some(rng, 14)), after: slugs(&some(rng, 14)) };
        let plugins: BTreeMap<String, Constraints> =
            (0..count).map(|n| (slug_of(n), constraints())).collect();
        match plugin_order(&plugins) {
            Ok(order) => assert_eq!(Some(order), slowly(&plugins), "{plugins:?}"),
            Err(cycle) => {
                assert_eq!(slowly(&plugins), None, "there is an order, and {cycle:?} was told");
                assert!(cycle.len() >= 2 && cycle.first() == cycle.last(), "{cycle:?}");
                for pair in cycle.windows(2) {
                    let waits = waits_for(&plugins, &pair[0]).contains(pair[1].as_str());
                    assert!(waits, "{} does not wait for {} in {plugins:?}", pair[0], pair[1]);
                }
                let once: BTreeSet<&String> = cycle.iter().collect();
                assert_eq!(once.len(), cycle.len() - 1, "{cycle:?} goes round more than once");
                assert_eq!(
                    cycle.first(),
                    once.first().copied(),
                    "{cycle:?} does not begin with its smallest"
                );
            }
        }
    });
}

/// A plugin of a generated tree: numbers of others.
#[derive(Debug, Default)]
struct Made {
    dependencies: Vec<usize>,
    optional: Vec<usize>,
    after: Vec<usize>,
    before: Vec<usize>,
    /// The priority of its claim on the dashboard.
    claims: Option<i64>,
}

impl Made {
    fn text(&self, n: usize) -> String {
        let list = |numbers: &[usize]| slugs(numbers).into_iter().collect::<Vec<_>>().join(", ");
        let optional: Vec<usize> =
            self.optional.iter().filter(|n| !self.dependencies.contains(n)).copied().collect();
        let slug = slug_of(n);
        let mut out = format!(
            "//- /plugins/{slug}/plugin.yaml\nname: {slug}\nversion: 1.0.0\ndisplay_name: P\ndependencies: [{}]\n\
             optional_dependencies: [{}]\norder: {{before: [{}], after: [{}]}}\n",
            list(&self.dependencies),
            list(&optional),
            list(&self.before),
            list(&self.after)
        );
        if let Some(priority) = self.claims {
            out.push_str(&format!(
                "//- /plugins/{slug}/frontend/overrides.json\n\
                 {{\"priority\": {priority}, \"overrides\": {{\"dashboard.view\": \"V.tsx\"}}}}\n\
                 //- /plugins/{slug}/frontend/V.tsx\nexport default () => <p />;\n"
            ));
        }
        out
    }
}

/// Plugins whose constraints agree with one another: what comes before has the lower number.
fn made(rng: &mut Rng) -> Vec<Made> {
    let count = rng.usize(1..8);
    (0..count)
        .map(|n| Made {
            dependencies: some(rng, n),
            optional: some(rng, n),
            after: some(rng, n),
            before: some(rng, count - n - 1).into_iter().map(|more| n + 1 + more).collect(),
            claims: rng.bool().then(|| rng.i64(-2..3)),
        })
        .collect()
}

fn fixture(plugins: &[Made]) -> Fixture {
    Fixture::new(&plugins.iter().enumerate().map(|(n, made)| made.text(n)).collect::<String>())
}

/// What the stages find in the plugins of a tree, after they were read in another order.
fn again(front: &mut Front, fixture: &Fixture, rng: &mut Rng) -> Resolved {
    let slugs: BTreeSet<&str> = front.loaded.iter().map(|plugin| plugin.slug()).collect();
    // Which of two plugins of one name counts is settled by the order of the roots, and of names within one.
    if slugs.len() == front.loaded.len() {
        rng.shuffle(&mut front.loaded);
    }
    let shell = websource::scan(&fixture.folder().join("host-template/shell/src"));
    let version = Version::new(0, 1, 0);
    let platform = Platform {
        release: version.clone(),
        version,
        shell,
        shared: hub_codegen::load::shared::OfShell::default(),
        migrations: OfPlatform::default(),
    };
    resolve(&front.loaded, &platform, Vec::new())
}

#[test]
fn plugins_stand_behind_what_they_wait_for_and_else_by_slug() {
    cases(60, |rng| {
        let plugins = made(rng);
        let front = fixture(&plugins).front(false);
        let order: Vec<String> =
            front.resolved.plan.host.plugins.iter().map(|plugin| plugin.name.clone()).collect();
        let mut constraints: BTreeMap<String, Constraints> = BTreeMap::new();
        for (n, made) in plugins.iter().enumerate() {
            let own = constraints.entry(slug_of(n)).or_default();
            own.dependencies.extend(slugs(&made.dependencies));
            own.dependencies.extend(slugs(&made.optional));
            own.after.extend(slugs(&made.after));
            for later in slugs(&made.before) {
                constraints.entry(later).or_default().after.insert(slug_of(n));
            }
        }
        assert_eq!(Some(order), slowly(&constraints), "{plugins:?}");
    });
}

#[test]
fn a_chain_is_sorted_by_priority_then_order_whatever_order_the_plugins_were_read_in() {
    cases(60, |rng| {
        let plugins = made(rng);
        let fixture = fixture(&plugins);
        let mut front = fixture.front(false);
        let plan = front.resolved.plan.clone();
        let place = |slug: &str| plan.host.plugins.iter().position(|plugin| plugin.name == slug);
        let claims =
            plugins.iter().enumerate().filter_map(|(n, made)| Some((made.claims?, place(&slug_of(n))?)));
        let mut wanted: Vec<(i64, usize)> = claims.collect();
        wanted.sort_unstable_by(|a, b| b.cmp(a));
        let chain = plan.web.keys.get("dashboard.view").map(Vec::as_slice).unwrap_or_default();
        let got: Vec<(i64, usize)> =
            chain.iter().filter_map(|claim| Some((claim.priority, place(&claim.plugin)?))).collect();
        assert_eq!(got, wanted, "{plugins:?}");

        let found = front.resolved.diagnostics.clone();
        let again = again(&mut front, &fixture, rng);
        assert_eq!((&again.plan, &again.diagnostics), (&plan, &found), "{plugins:?}");
    });
}

/// The parts of all fixtures: plugins with mistakes, to be put beside one another.
fn corpus() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let entries = fs::read_dir(folder).expect("the fixtures");
    let mut all: Vec<(String, Vec<u8>)> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
            (name, fs::read(&path).expect("a fixture"))
        })
        // Rights, links and long files are beyond what can be mutated.
        .filter(|(_, text)| {
            let text = String::from_utf8_lossy(text);
            !text.lines().any(|line| line.starts_with("//- ") && line.split_whitespace().count() > 2)
        })
        .collect();
    all.sort();
    all
}

/// Writes over some files of a tree what mutation made of them.
fn mutate(rng: &mut Rng, folder: &Path, corpus: &[(String, Vec<u8>)]) {
    let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(Result::ok);
    let files: Vec<_> = files.filter(|entry| entry.file_type().is_file()).collect();
    for _ in 0..=rng.usize(..3) {
        let file = files[rng.usize(..files.len())].path();
        let own = ("own".to_string(), fs::read(file).expect("a file"));
        let seeds = if rng.u8(..4) > 0 { std::slice::from_ref(&own) } else { corpus };
        let mut bytes = mutated(rng, seeds);
        bytes.truncate(64 * 1024);
        fs::write(file, bytes).expect("a file");
    }
}

/// What holds for every finding, wherever it comes from.
fn is_sound(found: &Diagnostic, folder: &str) {
    let Diagnostic { message, help, file, .. } = found;
    assert!(!message.is_empty() && !help.is_empty() && file.is_some(), "{found:#?}");
    let odd = |text: &str| text.chars().any(|c| c.is_control()) || text.chars().count() > 1000;
    assert!(
        !message.contains(folder),
        "warnings and errors go into releases, and name no folder: {found:#?}"
    );
    assert!(!odd(message) && !odd(help) && !odd(&found.label), "{found:#?}");
}

#[test]
fn a_tree_of_anything_is_judged_without_a_panic_and_alike_in_any_order() {
    let corpus = corpus();
    assert!(corpus.len() > 80, "the fixtures are not where they were");
    cases(1000, |rng| {
        let (_, text) = &corpus[rng.usize(..corpus.len())];
        let fixture = Fixture::new(&String::from_utf8_lossy(text));
        mutate(rng, &fixture.folder(), &corpus);
        let mut front = fixture.front(false);
        let folder = fixture.folder().display().to_string();
        front.resolved.diagnostics.iter().for_each(|found| is_sound(found, &folder));
        let first = again(&mut front, &fixture, rng);
        let second = again(&mut front, &fixture, rng);
        assert_eq!(first.plan, second.plan);
        assert_eq!(first.diagnostics, second.diagnostics);

        // Without what is broken a sound plan remains, or the shell is to blame.
        let kept = fixture.front(true);
        let of_shell = |found: &&Diagnostic| found.level == Level::Error && found.plugin.is_none();
        let errors = kept.resolved.diagnostics.iter().filter(|found| found.level == Level::Error);
        for found in errors {
            let left_out = found.plugin.as_ref().is_some_and(|slug| kept.left_out.contains(slug));
            assert!(left_out || of_shell(&found), "{found:#?}\nstays with {:?} left out", kept.left_out);
        }
    });
}
