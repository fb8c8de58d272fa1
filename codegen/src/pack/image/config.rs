//! How the image is run, and what it says of itself.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// The only processor that hosts are compiled for.
pub(super) const ARCHITECTURE: &str = "amd64";
pub(super) const OS: &str = "linux";

/// Install folder in the image.
pub(super) const ROOT: &str = "opt/honeyframe";
/// Data folder in the image.
pub(super) const DATA: &str = "data/honeyframe";
/// User and group that the host runs as: the number that images without a system use for whoever is not root.
pub(super) const USER: u64 = 65532;

/// The time of every entry of the archive, as RFC 3339 has it.
const CREATED: &str = "2000-01-01T00:00:00Z";

/// The image's configuration.
pub(super) fn config(version: &str, revision: Option<&str>, diff_id: &str) -> Value {
    json!({
        "created": CREATED,
        "architecture": ARCHITECTURE,
        "os": OS,
        "config": {
            "User": format!("{USER}:{USER}"),
            "Env": [
                // So that `exec … hub-platform admin create-user` finds the program.
                format!("PATH=/{ROOT}/bin:/{ROOT}/current/bin"),
                format!("HOME=/{DATA}"),
                format!("DATA_DIR=/{DATA}"),
                "LISTEN=0.0.0.0:8001",
            ],
            "Entrypoint": [format!("/{ROOT}/bin/hub-launch")],
            "Cmd": ["serve"],
            "ExposedPorts": { "8001/tcp": {} },
            "Volumes": { format!("/{DATA}"): {} },
            "WorkingDir": format!("/{DATA}"),
            "StopSignal": "SIGTERM",
            "Labels": labels(version, revision),
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{diff_id}")] },
        "history": [{ "created": CREATED, "created_by": "cargo xtask build-platform --image" }],
    })
}

/// What registries show of the image.
pub(super) fn labels(version: &str, revision: Option<&str>) -> BTreeMap<&'static str, String> {
    let mut labels = BTreeMap::from([
        ("org.opencontainers.image.title", "hub-platform".to_owned()),
        (
            "org.opencontainers.image.description",
            "The hub platform: one host with all its vertical plugins".to_owned(),
        ),
        ("org.opencontainers.image.version", version.to_owned()),
        ("org.opencontainers.image.licenses", env!("CARGO_PKG_LICENSE").to_owned()),
    ]);
    if let Some(revision) = revision {
        labels.insert("org.opencontainers.image.revision", revision.to_owned());
    }
    labels
}
