//! What the launcher says of itself where there is no release that could.

use std::fs;
use std::process::Command;

#[test]
fn the_launcher_says_what_it_is_without_a_release() {
    let root = std::env::temp_dir().join(format!("hub-launch-asked-{}", std::process::id()));
    // What a killed test left whose process had the same number.
    let _ = fs::remove_dir_all(&root);
    let program = root.join("bin/hub-launch");
    fs::create_dir_all(root.join("bin")).unwrap();
    fs::copy(env!("CARGO_BIN_EXE_hub-launch"), &program).unwrap();
    let asked = |argument: &str| {
        let output = Command::new(&program).arg(argument).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    // Without a folder of releases, and with one that holds none.
    for _ in 0..2 {
        for help in ["--help", "-h"] {
            let (status, out, said) = asked(help);
            assert_eq!((status, &*said), (Some(0), ""), "{out}");
            assert!(out.contains("Usage: hub-launch") && out.contains("select"), "{out}");
        }
        for version in ["--version", "-V"] {
            let (status, out, said) = asked(version);
            assert_eq!((status, &*said), (Some(0), ""), "{out}");
            assert_eq!(out, format!("hub-launch {}\n", env!("CARGO_PKG_VERSION")));
        }
        // Whatever needs a release says that there is none.
        for other in ["serve", "which", "select"] {
            let (status, out, said) = asked(other);
            assert_eq!((status, &*out), (Some(3), ""), "{said}");
            assert!(said.contains("holds no release that can be started"), "{said}");
        }
        fs::create_dir_all(root.join("releases")).unwrap();
    }
    fs::remove_dir_all(&root).unwrap();
}
