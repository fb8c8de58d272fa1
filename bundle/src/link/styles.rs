//! Style sheets as modules: importing one puts it into the style sheet of the chunk that the importer is in.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rolldown_common::ModuleType;
use rolldown_common::side_effects::HookSideEffects;
use rolldown_plugin::{
    HookLoadArgs, HookLoadOutput, HookLoadReturn, HookUsage, Plugin, SharedLoadPluginContext,
};

use super::assets::Assets;
use super::report::Sink;
use crate::style::{Style, Styles};

/// The style sheets read so far, by module id.
#[derive(Debug, Default)]
pub struct Sheets(Mutex<HashMap<String, Arc<Style>>>);

impl Sheets {
    fn put(&self, id: &str, style: Arc<Style>) {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(id.to_owned(), style);
    }

    /// All files that any of the sheets was made of.
    pub fn files(&self) -> Vec<PathBuf> {
        let sheets = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        sheets.values().flat_map(|style| style.files.clone()).collect()
    }

    /// The style sheet of a chunk made of these modules, in the order in which they run.
    pub fn join<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Option<String> {
        let sheets = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let styles: Vec<_> = ids.filter_map(|id| sheets.get(id)).filter(|style| !style.is_empty()).collect();
        if styles.is_empty() {
            return None;
        }
        let heads = styles.iter().map(|style| style.head.as_str());
        let bodies = styles.iter().map(|style| style.body.as_str());
        let mut text: String = heads.collect();
        for body in bodies.filter(|body| !body.is_empty()) {
            text.push_str(body);
            text.push('\n');
        }
        Some(text)
    }
}

/// The plugin.
pub struct StyleModules {
    styles: Styles,
    assets: Arc<Assets>,
    sheets: Arc<Sheets>,
    sink: Arc<Sink>,
}

impl StyleModules {
    /// Reads with `styles`, keeps what it read in `sheets`.
    pub fn new(styles: Styles, assets: Arc<Assets>, sheets: Arc<Sheets>, sink: Arc<Sink>) -> StyleModules {
        StyleModules { styles, assets, sheets, sink }
    }
}

impl std::fmt::Debug for StyleModules {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StyleModules").finish_non_exhaustive()
    }
}

impl Plugin for StyleModules {
    fn name(&self) -> Cow<'static, str> {
        "hub:styles".into()
    }

    async fn load(&self, _: SharedLoadPluginContext, args: &HookLoadArgs<'_>) -> HookLoadReturn {
        if !args.id.ends_with(".css") {
            return Ok(None);
        }
        let mut findings = Vec::new();
        let style = self.styles.read(Path::new(args.id), &|file| self.assets.ship(file), &mut findings);
        findings.into_iter().for_each(|finding| self.sink.add(finding));
        let (code, module_type) = match &style.classes {
            Some(classes) => (serde_json::to_string(classes)?, ModuleType::Json),
            None => (String::new(), ModuleType::Js),
        };
        self.sheets.put(args.id, Arc::new(style));
        Ok(Some(HookLoadOutput {
            code: code.into(),
            module_type: Some(module_type),
            side_effects: Some(HookSideEffects::NoTreeshake),
            ..HookLoadOutput::default()
        }))
    }

    fn register_hook_usage(&self) -> HookUsage {
        HookUsage::Load
    }
}
