//! What a manifest says about its plugin to people only: the platform shows it, and decides nothing by it.
//!
//! A field is declared by one row of the table at the end of this file. From the row follow the parser, the list of known
//! fields ([`crate::plugin::FIELDS`]), the JSON Schema, the table in the guide for plugin authors, the plan, what the host
//! knows of the plugin, and the API's answer with its description.

use serde::{Deserialize, Serialize};

use crate::node::{Entry, Node};
use crate::reader::{Reader, get};
use crate::source::Spanned;
use crate::{codes, grammar};

/// The form of a field's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One line.
    Line,
    /// One line or more.
    Prose,
    /// The address of a web page, as [`grammar::web_address`] takes it.
    WebAddress,
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name in `plugin.yaml`, in the plan and in the API.
    pub name: &'static str,
    /// What it is, in a sentence or two.
    pub about: &'static str,
    /// The form of its text.
    pub form: Form,
}

/// The sound text of a field; every mistake in it goes to the reader.
fn text(reader: &mut Reader<'_>, entries: &[Entry], name: &str, form: Form) -> Option<String> {
    let node = get(entries, name)?;
    let what = format!("`{name}`");
    let text = match form {
        Form::Line => reader.text(node, &what),
        Form::Prose => reader.prose(node, &what),
        Form::WebAddress => web_address(reader, node, &what),
    };
    text.map(|text| text.value)
}

fn web_address(reader: &mut Reader<'_>, node: &Node, what: &str) -> Option<Spanned<String>> {
    let text = reader.text(node, what)?;
    match grammar::web_address(&text.value) {
        Ok(()) => Some(text),
        Err(help) => {
            // The message does not repeat the address: it may hold a password.
            let message = format!("{what} is not a web address");
            reader.error(codes::MALFORMED_NAME, &text.range, message, help);
            None
        }
    }
}

macro_rules! metadata {
    ($($(#[doc = $about:literal])+ $name:ident: $form:ident,)+) => {
        /// What a manifest says about its plugin to people only. All of it is optional.
        #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Metadata {
            $(
                $(#[doc = $about])+
                pub $name: Option<String>,
            )+
        }

        impl Metadata {
            /// The fields, in the order in which documents list them.
            pub const FIELDS: &'static [Field] = &[$(
                Field {
                    name: stringify!($name),
                    about: concat!($($about),+).trim_ascii(),
                    form: Form::$form,
                },
            )+];

            /// The sound fields of a manifest.
            pub(crate) fn read(reader: &mut Reader<'_>, entries: &[Entry]) -> Metadata {
                Metadata { $($name: text(reader, entries, stringify!($name), Form::$form),)+ }
            }

            /// The fields that the author wrote: name and text.
            pub fn written(&self) -> impl Iterator<Item = (&'static str, &str)> {
                let fields = [$((stringify!($name), self.$name.as_deref()),)+];
                fields.into_iter().filter_map(|(name, text)| Some((name, text?)))
            }
        }
    };
}

metadata! {
    /// What the plugin is for.
    description: Prose,
    /// Who wrote it.
    author: Line,
    /// Its licence.
    license: Line,
    /// Where to read more.
    homepage: Line,
    /// Where the source code is, as a web address.
    repository: WebAddress,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::HostPlugin;
    use crate::plugin::{FIELDS, parse};
    use crate::source::Source;

    #[test]
    fn every_row_is_a_field_of_the_manifest_the_plan_and_the_metadata() {
        for field in Metadata::FIELDS {
            assert!(field.about.ends_with('.'), "{field:?}: a sentence for people");
            assert_eq!(FIELDS.iter().filter(|name| **name == field.name).count(), 1, "{field:?}");
            // An address is a text of every form.
            let wanted = "https://acme.example/crm";
            let text = format!("name: crm\nversion: 1.0.0\ndisplay_name: CRM\n{}: {wanted}\n", field.name);
            let (manifest, found) = parse(&Source { file: "plugin.yaml".into(), text }, "crm");
            assert!(found.is_empty(), "{found:?}");
            assert_eq!(manifest.metadata.written().collect::<Vec<_>>(), [(field.name, wanted)]);
            let plugin = HostPlugin::from_manifest(&manifest, "crm");
            let written = serde_json::to_value(&plugin).expect("a plan is JSON");
            assert_eq!(written[field.name], wanted);
            assert_eq!(serde_json::from_value::<HostPlugin>(written).expect("what was written"), plugin);
        }
    }

    #[test]
    fn a_plan_leaves_out_what_the_author_did_not_write() {
        let written = serde_json::to_value(HostPlugin::default()).expect("a plan is JSON");
        let named = Metadata::FIELDS.iter().filter(|field| written.get(field.name).is_some());
        assert_eq!(named.count(), 0, "{written}");
        let all = serde_json::to_value(Metadata::default()).expect("metadata is JSON");
        assert!(Metadata::FIELDS.iter().all(|field| all.get(field.name) == Some(&json!(null))), "{all}");
    }
}
