//! Modules as text in, facts and messages as text out.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use hub_manifest::diagnostic::{Diagnostic, Span};

use super::*;

fn module(path: &str, text: &str) -> Module {
    parse(Path::new(path), text).unwrap_or_else(|errors| panic!("{path} is sound: {errors:#?}"))
}

/// Each finding as `line:column+length code message | label | help`.
fn shown(findings: &[Diagnostic]) -> String {
    let mut out = String::new();
    for d in findings {
        let Span { line, column, len, .. } = d.span;
        let _ = writeln!(
            out,
            "{line}:{column}+{len} {} {}\n  label: {}\n  help: {}",
            d.code, d.message, d.label, d.help
        );
        for related in &d.related {
            let at = related.span;
            let _ = writeln!(out, "  {}:{}:{} {}", related.file.display(), at.line, at.column, related.label);
        }
    }
    out
}

fn errors(path: &str, text: &str) -> String {
    match parse(Path::new(path), text) {
        Ok(_) => "sound".to_owned(),
        Err(findings) => {
            assert!(findings.iter().all(|finding| finding.file.as_deref() == Some(Path::new(path))));
            shown(&findings)
        }
    }
}

fn exports(text: &str) -> String {
    let module = module("m.tsx", text);
    let kinds = module.exports.iter().map(|export| {
        let at = &text[export.span.offset..][..export.span.len];
        format!("{} = {:?} at `{}`", export.name, export.kind, at.lines().next().unwrap_or_default())
    });
    kinds.collect::<Vec<_>>().join("\n")
}

fn asked(text: &str) -> String {
    let module = module("m.tsx", text);
    let known = module.asked.iter().map(|asked| {
        format!("{:?} {} at {}", asked.by, asked.key, &text[asked.span.offset..][..asked.span.len])
    });
    let unknown = module
        .dynamic_keys
        .iter()
        .map(|key| format!("{:?} ? at {}", key.by, &text[key.span.offset..][..key.span.len]));
    known.chain(unknown).collect::<Vec<_>>().join("\n")
}

#[test]
fn syntax_errors() {
    let said = [
        errors("src/A.tsx", "export default function A() {\n  return <div><p>über</div>;\n}\n"),
        errors(
            "src/A2.tsx",
            "export default function A() {\n  return (\n    <ul>\n      <li>a\n    </ul>\n  );\n}\n",
        ),
        errors("src/A3.jsx", "export default () => <><p>a</p>;\n"),
        errors("src/B.tsx", "const a = ;\nconst b: = 1;\n"),
        errors("src/C.tsx", "export default function C() {\n  return 1\n"),
        errors("src/D.tsx", "const s = 'abc\n;"),
        errors("src/E.tsx", "const a;\nconst b;\nclass X { constructor(){} constructor(){} }"),
        errors("src/F.ts", "export default () => <div>hi</div>;\n"),
        errors("src/G.js", "const a: number = 1;\n"),
        errors("src/H.tsx", "<<<<<<< HEAD\nlet a = 1;\n=======\nlet a = 2;\n>>>>>>> x\n"),
        errors("src/I.tsx", "\u{feff}let 1x;"),
        errors("src/J.tsx", "switch (a) { default: break; default: }"),
        errors("src/K.tsx", "function f() { await g(); }"),
        errors("src/L.tsx", "{\"not\": \"a module\"}"),
        errors("src/M.tsx", "<div a={} />"),
        errors("src/N.tsx", "if (a { }"),
        errors("src/O.tsx", "\0\u{1}"),
    ]
    .join(
        "
",
    );
    insta::assert_snapshot!(said);
}

#[test]
fn sound_text_of_every_language() {
    for (path, text) in [
        ("a.ts", "let a = <string>b; enum E { A } export abstract class C<T> { @d() private x?: T; }"),
        ("a.tsx", "export const A = <T,>(p: T) => <><p {...p}>{`${p}`}</p></> satisfies X;"),
        ("a.js", "export const a = b ?? c?.d; export default class { #x = 1; static {} }"),
        ("a.jsx", "export default () => <a b='c' />;"),
        ("a.d.ts", "export function f(a: string): void; declare const b: number; export default b;"),
        ("a.mts", "await f(); using x = g();"),
        ("empty.tsx", ""),
        ("bom.tsx", "\u{feff}export {}"),
    ] {
        assert_eq!(errors(path, text), "sound", "{path}");
    }
}

#[test]
fn export_kinds() {
    let said = exports(
        "import { X, type T } from './x';
import D from './d';
import * as ns from './ns';
export function F() {}
export async function* G() {}
export class C {}
export const A = () => null, M = memo(F), n = 1, s = 'x', o = {}, { p, q: [r], ...t } = z, el = <a/>;
export let u: number;
export type Y = string;
export interface I {}
export enum E { A }
export declare const declared: number;
export { X, T, D as DD, ns, F as F2, Y as Y2, X as 'odd name' };
export { R, default as R2, type RT } from './r';
export type { TT } from './t';
export * from './star';
export type * from './typestar';
export * as space from './space';
function over(a: string): void;
function over(a: unknown) {}
export { over };
export interface Both {}
export const Both = () => null;
export default memo(F);
",
    );
    insta::assert_snapshot!(said);
}

#[test]
fn default_exports() {
    let check = |text: &str, expect: &str| assert_eq!(exports(text), expect, "{text}");
    check("export default function Name() {}", "default = Function at `Name`");
    check("export default () => 1", "default = Function at `() => 1`");
    check("export default class extends X {}", "default = Class at `export default class extends X {}`");
    check("export default interface P {}", "default = Type at `P`");
    check("type P = 1; export default P;", "default = Type at `P`");
    check("const P = () => 1; export default P as X;", "default = Function at `P as X`");
    check("const P = () => 1; export { P as default };", "default = Function at `default`");
    check(
        "import P from './p'; export default P;",
        "default = Reexport { from: \"./p\", name: \"default\" } at `P`",
    );
    check("export default 'x';", "default = Plain(\"a string\") at `'x'`");
    check("export default lazy(() => import('./x'));", "default = Value at `lazy(() => import('./x'))`");
    check("export default (<p/>);", "default = Plain(\"an element\") at `(<p/>)`");
}

#[test]
fn imports() {
    let text = "import a from 'a'; import 'b.css'; import type { c } from 'c'; import { type d } from 'd';
export * from './e'; const f = import('./f'), g = import(`./g`), h = import(`./${h}`);
type T = import('./types').T;";
    let module = module("m.ts", text);
    let imports: Vec<_> =
        module.imports.iter().map(|i| (i.specifier.as_str(), i.type_only, i.span.len)).collect();
    assert_eq!(
        imports,
        [("a", false, 3), ("b.css", false, 7), ("c", true, 3), ("d", true, 3), ("./e", false, 5)]
    );
    let dynamic: Vec<_> = module.dynamic_imports.iter().map(|i| (i.value.as_str(), i.span.line)).collect();
    assert_eq!(dynamic, [("./f", 2), ("./g", 2)]);
}

#[test]
fn keys_asked() {
    let said = asked(
        "import { useOverride, useOverride as u, Surface as S } from '@platform/plugin-host';
import * as host from '@platform/plugin-host';
const KEY = 'const.key' as const;
function A({ name }) {
  useOverride('hook.plain'); u(\"hook.alias\"); host.useOverride(`hook.template`); useOverride<'t'>(KEY);
  useOverride(name); useOverride(`a.${name}`); useOverride(); useOverride(name ? 'hook.yes' : 'hook.no');
  useOverride(...name); useOverride(name ? 'hook.some' : name);
  return <><Surface name='s.plain' props={{}}>{useOverride('hook.inner')}</Surface><S name={'s.expr'} />
    <host.Surface name={KEY}/><Surface name={name} /><Surface {...name} /><Surface name /><Other name='no' />
    <S name='a &amp; b' />{createElement(Surface, { name: 's.created' })}{jsx(S, name)}</>;
}
",
    );
    insta::assert_snapshot!(said);
}

#[test]
fn other_peoples_surfaces() {
    assert_eq!(asked("import { Surface } from 'recharts'; export const A = () => <Surface name='x' />;"), "");
    assert_eq!(asked("function Surface() {} export const A = () => <Surface name='x' />;"), "");
    assert_eq!(
        asked("import { Surface } from '../host'; export const A = () => <Surface name='x' />;"),
        "Surface x at 'x'"
    );
}

#[test]
fn surfaces_declared() {
    let text = "declare module '@platform/plugin-host' {
  interface SurfaceProps { 'records.card': { record: string }; \"b\": {}; plain: {}; [`tpl`]: {}; method(): void }
  interface Other { 'not.this': {} }
}
declare module 'elsewhere' { interface SurfaceProps { 'nor.this': {} } }
interface SurfaceProps { 'nor.that': {} }";
    let module = module("m.d.ts", text);
    let declared: Vec<_> =
        module.declared.iter().map(|d| (d.key.as_str(), &text[d.span.offset..][..d.span.len])).collect();
    assert_eq!(
        declared,
        [("records.card", "'records.card'"), ("b", "\"b\""), ("plain", "plain"), ("tpl", "`tpl`")]
    );
}

#[test]
fn pages_listed() {
    let check = |text: &str, expect: Option<(&[(&str, bool)], usize)>| {
        let pages = module("pages.tsx", text).pages;
        let found = pages.map(|pages| {
            let listed: Vec<_> =
                pages.listed.iter().map(|page| (page.path.clone(), page.component)).collect();
            (listed, pages.dynamic.len())
        });
        let expect = expect.map(|(listed, dynamic)| {
            (
                listed.iter().map(|(path, component)| ((*path).to_owned(), *component)).collect::<Vec<_>>(),
                dynamic,
            )
        });
        assert_eq!(found, expect, "{text}");
    };
    check(
        "export default [{ path: '/crm/a', component: A }, { path: `/crm/b` }];",
        Some((&[("/crm/a", true), ("/crm/b", false)], 0)),
    );
    check("export default definePages([{ path: '/a', component() {} }]);", Some((&[("/a", true)], 0)));
    check("const p = [{ 'path': '/a', component }] as const; export default p;", Some((&[("/a", true)], 0)));
    check("const p = definePages([]); export { p as default };", Some((&[], 0)));
    check(
        "const R = '/r'; const one = { path: R, component: A }; const more = [one];
         export default [...more, one, ...others, { path: x() }, page] satisfies Page[];",
        Some((&[("/r", true), ("/r", true)], 3)),
    );
    check("export default makePages();", None);
    check("export default function Pages() {}", None);
    check("export const pages = [{ path: '/a' }];", None);
    check("const a = b; const b = a; export default a;", None);
    check("const a = [...a]; export default a;", Some((&[], 1)));
}

fn claimed<'a>(export: &'a str, wanted: Wanted) -> Claimed<'a> {
    let span = Span { offset: 10, len: 4, line: 2, column: 5 };
    let file = Path::new("plugins/crm/frontend/overrides.json");
    Claimed { plugin: "crm", file, span, key: "records.card", export, wanted }
}

/// What is wrong with taking `export` from the first of the files.
fn checked(export: &str, wanted: Wanted, files: &[(&str, &str)]) -> String {
    let modules: BTreeMap<PathBuf, Module> =
        files.iter().map(|(path, text)| (PathBuf::from(path), module(path, text))).collect();
    let first = &modules[Path::new(files[0].0)];
    let found = check_export(&claimed(export, wanted), first, &|path| modules.get(path).cloned());
    found.map_or("fine".to_owned(), |finding| shown(&[finding]))
}

#[test]
fn exports_that_are_there() {
    let check = |export: &str, files: &[(&str, &str)]| {
        assert_eq!(checked(export, Wanted::Component, files), "fine", "{export} of {files:?}");
    };
    check("default", &[("a.tsx", "export default function A() {}")]);
    check("A", &[("a.tsx", "export const A = memo(B);")]);
    check("A", &[("f/a.tsx", "export { A } from './b'"), ("f/b.ts", "export class A {}")]);
    check("A", &[("f/a.tsx", "export * from '../b'"), ("b/index.tsx", "export function A() {}")]);
    check(
        "A",
        &[
            ("f/a.tsx", "export * from '.'"),
            ("f/index.ts", "export { B as A } from './b.js'"),
            ("f/b.tsx", "export class B {}"),
        ],
    );
    check(
        "default",
        &[
            ("a.tsx", "import A from './b'; export default A"),
            ("b.tsx", "export { A as default } from './c'"),
            ("c.jsx", "export function A() {}"),
        ],
    );
    check(
        "A",
        &[
            ("a.tsx", "export * from './b'; export * from './c'"),
            ("b.ts", "export * from './a'"),
            ("c.ts", "export function A() {}"),
        ],
    );
    check("A", &[("a.tsx", "export { A } from 'some-package'")]);
    check("A", &[("a.tsx", "export * from 'some-package'")]);
    check("A", &[("a.tsx", "export { A } from './missing'")]);
    check("default", &[("a.js", "module.exports = function A() {}")]);
    assert_eq!(checked("default", Wanted::Pages, &[("a.tsx", "export default []")]), "fine");
    assert_eq!(checked("default", Wanted::Pages, &[("a.tsx", "export default definePages([])")]), "fine");
}

#[test]
fn exports_that_are_not() {
    let component = |export: &str, files: &[(&str, &str)]| checked(export, Wanted::Component, files);
    let said = [
        component("default", &[("a.tsx", "")]),
        component("default", &[("a.tsx", "export function RecordCard() {}")]),
        component(
            "RecordCrad",
            &[("a.tsx", "export const RecordCard = 1, a = 1, b = 1, c = 1, RecordList = 1;")],
        ),
        component("RecordCard", &[("a.tsx", "export default function RecordCard() {}")]),
        component("A", &[("a.tsx", "export const X = 1, Y = 2")]),
        component(
            "A",
            &[
                ("f/a.tsx", "\nexport { A } from './b'"),
                ("f/b.ts", "export * from './c'"),
                ("f/c.ts", "export const AA = 1"),
            ],
        ),
        component("default", &[("f/a.tsx", "export * from './b'"), ("f/b.ts", "export default () => 1")]),
        component("A", &[("a.ts", "export { A } from './b'"), ("b.ts", "export { A } from './a'")]),
        component("Props", &[("a.tsx", "export interface Props {}")]),
        component("Props", &[("a.tsx", "export * from './b'"), ("b.ts", "\nexport type Props = 1")]),
        component("default", &[("a.tsx", "export default <p/>")]),
        component("ns", &[("a.tsx", "export * as ns from './b'")]),
        checked("default", Wanted::Pages, &[("a.tsx", "export default function Page() {}")]),
        checked("default", Wanted::Pages, &[("a.tsx", "export const pages = []")]),
    ]
    .join(
        "
",
    );
    insta::assert_snapshot!(said);
}

#[test]
fn pages_behind_re_exports() {
    let files = [
        ("a.tsx", "export { default } from './b'"),
        ("b.ts", "import { pages } from './c'; export default pages"),
        ("c.ts", "export const pages = [{ path: '/a' }]; export default pages;"),
        ("loop.ts", "export { default } from './loop'"),
    ];
    let modules: BTreeMap<PathBuf, Module> =
        files.iter().map(|(path, text)| (PathBuf::from(path), module(path, text))).collect();
    let load = |path: &Path| modules.get(path).cloned();
    assert_eq!(
        pages_of(&modules[Path::new("a.tsx")], &load),
        None,
        "a named constant elsewhere is not looked into"
    );
    let (file, pages) = pages_of(&module("x.ts", "export { default } from './c'"), &load).expect("pages");
    assert_eq!((file.as_path(), pages.listed[0].path.as_str()), (Path::new("c.ts"), "/a"));
    assert_eq!(pages_of(&modules[Path::new("loop.ts")], &load), None);
}

/// Whatever is nested however deep: an answer, and no end of the stack.
#[test]
fn deep_nesting_is_survived() {
    let wrap = |open: &str, core: &str, close: &str, times: usize| {
        format!("{}{core}{}", open.repeat(times), close.repeat(times))
    };
    let deep = 20_000;
    let sound = [
        wrap("(", "1", ")", deep),
        wrap("[", "", "]", deep),
        format!("x = {}", wrap("{a:", "1", "}", deep)),
        wrap("<a>", "", "</a>", deep),
        wrap("<a b={", "1", "}/>", deep),
        wrap("f(", "", ")", deep),
        wrap("`${", "1", "}`", deep),
        wrap("() => {", "", "}", deep),
        wrap("if(a){", "", "}", deep),
        wrap("class A { m() {", "", "}}", deep),
        format!("{}1", "!".repeat(100_000)),
        format!("{}1", "x => ".repeat(50_000)),
        format!("{}1", "a ? b : ".repeat(50_000)),
        format!("{}1", "a = ".repeat(50_000)),
        format!("{}1", "a + ".repeat(100_000)),
        format!("a{}", ".b".repeat(100_000)),
        format!("a{}", "()".repeat(100_000)),
        format!("a{}", "!".repeat(200_000)),
        format!("x = {{}}{}", " + {}".repeat(80_000)),
        format!("{}b", "if (a) ".repeat(30_000)),
        format!("{}{{}}", "if (a) {} else ".repeat(4_000)),
        format!("{}{{}}", "if (a) b; else ".repeat(4_000)),
        format!("type T = {}", wrap("A<", "B", ">", deep)),
        format!("type T = {}1", "keyof ".repeat(50_000)),
        format!("type T = A{}", "[]".repeat(100_000)),
    ];
    for text in &sound {
        let shown: String = text.chars().take(24).collect();
        if let Err(errors) = parse(Path::new("deep.tsx"), text) {
            // The parser itself bounds some of these; none may end in a crash.
            assert!(
                errors.iter().all(|e| matches!(e.code.id(), "HUB040" | "HUB071")),
                "{shown}: {}",
                errors[0].message
            );
            assert!(!errors[0].message.contains("gave up"), "{shown}");
        }
        let broken = format!("{text} )");
        let found = parse(Path::new("deep.tsx"), &broken);
        assert!(found.is_err(), "{shown}");
    }
    for text in
        ["(".repeat(MAX_BYTES), "<a>".repeat(MAX_BYTES / 3), "[".repeat(30_000), "!".repeat(MAX_BYTES)]
    {
        assert!(parse(Path::new("deep.tsx"), &text).is_err());
    }
}

#[test]
fn too_large_is_said() {
    let errors = parse(Path::new("a.ts"), &" ".repeat(MAX_BYTES + 1)).expect_err("too large");
    assert_eq!(errors[0].message, "a.ts is larger than 2 MiB (2.0 MiB)");
    assert!(parse(Path::new("a.ts"), &"f(1);\n".repeat(MAX_BYTES / 6)).is_ok());
}

#[test]
fn a_folder() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let write = |path: &str, bytes: &[u8]| {
        let file = folder.path().join(path);
        fs::create_dir_all(file.parent().expect("below the folder")).expect("folders");
        fs::write(file, bytes).expect("a file");
    };
    write("src/b.tsx", b"export default () => <p/>;");
    write("src/a.ts", b"export const a = ;");
    write("src/bad.ts", b"\xff");
    write("src/big.js", &vec![b' '; MAX_BYTES + 1]);
    write("types.d.ts", b"export {}");
    for left_out in
        ["node_modules/x.js", "dist/x.js", ".hidden/x.js", "src/b.test.tsx", "a.css", "src/.x.ts", "ts"]
    {
        write(left_out, b"(");
    }
    for more in 0..40 {
        write(&format!("many/m{more:02}.ts"), b"export {}");
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path(), folder.path().join("loop")).expect("a link");
    let sources = scan(folder.path());
    assert_eq!(sources, scan(folder.path()));
    let paths = sources.iter().filter(|source| !source.path.starts_with("many")).map(|source| {
        let code = source.module.as_ref().map_or_else(|errors| errors[0].code.id(), |_| "ok");
        (source.path.as_str(), code)
    });
    let paths: Vec<_> = paths.collect();
    assert_eq!(
        paths,
        [
            ("src/a.ts", "HUB040"),
            ("src/b.tsx", "ok"),
            ("src/bad.ts", "HUB072"),
            ("src/big.js", "HUB041"),
            ("types.d.ts", "ok"),
        ]
    );
    assert_eq!(sources.len(), 45);
    assert_eq!(scan(&folder.path().join("none")), []);
}
