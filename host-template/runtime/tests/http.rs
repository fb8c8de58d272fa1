//! The host against clients that mean it harm, or know no better: slow ones, many of them, large answers, scanners.

mod program;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use program::world::World;
use program::{Folder, Host};
use serde_json::json;

/// The most memory that the process has had so far, in MiB.
fn peak(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a line with the peak");
    line.split_whitespace().nth(1).and_then(|number| number.parse::<u64>().ok()).expect("a number") / 1024
}

/// Asks for the host's health on a connection of its own, and how long that takes.
fn health(host: &Host) -> Duration {
    let begun = Instant::now();
    assert_eq!(host.get("/api/health").status, 200);
    begun.elapsed()
}

/// Reads until the other end closes, or for so long.
fn rest(mut stream: TcpStream, limit: Duration) -> Option<String> {
    let begun = Instant::now();
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let left = limit.checked_sub(begun.elapsed()).filter(|left| !left.is_zero())?;
        stream.set_read_timeout(Some(left)).unwrap();
        match stream.read(&mut buffer) {
            Ok(0) => return Some(String::from_utf8_lossy(&all).into_owned()),
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => {
                return Some(String::from_utf8_lossy(&all).into_owned());
            }
            Err(_) => return None,
        }
    }
}

const SLOW_POST: &str = "POST /api/auth/login HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{";

#[test]
fn s6_two_thousand_slow_clients_and_health_answers_within_a_second() {
    let folder = Folder::release();
    let host = Host::start(&folder, |command| {
        command.env("HUB_BODY_SECONDS", "2");
    });
    raise_files();
    let mut slow = Vec::new();
    for number in 0..2000 {
        let mut stream = host.connect();
        let part = match number % 3 {
            0 => "",
            1 => "GET /api/health HTTP/1.1\r\nhost: h",
            _ => SLOW_POST,
        };
        stream.write_all(part.as_bytes()).unwrap();
        slow.push(stream);
        if number % 500 == 499 {
            let took = health(&host);
            assert!(took < Duration::from_secs(1), "{took:?} with {number} slow clients");
        }
    }
    // The bodies are given up, with an answer that says why.
    let body = slow.remove(1997);
    drop(slow);
    let answer = rest(body, Duration::from_secs(15)).expect("it is closed");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(peak(host.process()) <= 200, "{} MiB", peak(host.process()));
}

#[test]
fn s6_a_body_that_drips_is_given_up_and_one_that_flows_is_not() {
    let folder = Folder::release();
    let host = Host::start_as_admin(&folder, |command| {
        command.env("HUB_BODY_SECONDS", "2");
    });
    host.enable("good");
    let head = |length: usize, token: &str| {
        format!(
            "POST /api/good/notes HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    let token = host.sign_in(program::ADMIN, program::PASSWORD);
    let mut dripping = host.connect();
    dripping.write_all(head(1000, &token).as_bytes()).unwrap();
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        std::thread::sleep(Duration::from_millis(500));
        if dripping.write_all(b"{").is_err() {
            break;
        }
    }
    let answer = rest(dripping, Duration::from_secs(5)).expect("it is closed");
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("body-too-slow"), "{answer}");

    // Chunks of one byte each, as fast as they go: a body as any other.
    let text = json!({"text": "x".repeat(3000)}).to_string();
    let mut flowing = host.connect();
    let chunked = head(0, &token).replace("content-length: 0", "transfer-encoding: chunked");
    flowing.write_all(chunked.as_bytes()).unwrap();
    let chunks: String = text.chars().map(|c| format!("1\r\n{c}\r\n")).collect();
    flowing.write_all(format!("{chunks}0\r\n\r\n").as_bytes()).unwrap();
    let answer = rest(flowing, Duration::from_secs(5)).expect("it is closed");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");

    // Two kilobytes a second take longer than the while, and are enough.
    let text = json!({"text": "x".repeat(8000)}).to_string();
    let mut steady = host.connect();
    steady.write_all(head(text.len(), &token).as_bytes()).unwrap();
    for part in text.as_bytes().chunks(1024) {
        std::thread::sleep(Duration::from_millis(500));
        steady.write_all(part).unwrap();
    }
    let answer = rest(steady, Duration::from_secs(5)).expect("it is closed");
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

#[test]
fn s6_a_head_that_drips_is_closed() {
    let folder = Folder::release();
    let host = Host::start(&folder, |command| {
        command.env("HUB_HEAD_SECONDS", "1");
    });
    let mut stream = host.connect();
    let begun = Instant::now();
    for byte in b"GET /api/health HTTP/1.1\r\nx-a: ".iter().chain(std::iter::repeat(&b'b')) {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "it reads on");
        std::thread::sleep(Duration::from_millis(50));
    }
    // Heads that are too large, or of too many lines.
    for head in [format!("x-a: {}\r\n", "b".repeat(40_000)), "x-a: b\r\n".repeat(200)] {
        let mut stream = host.connect();
        // It may close before it has read all of it.
        let _ = stream.write_all(format!("GET /api/health HTTP/1.1\r\nhost: hub\r\n{head}\r\n").as_bytes());
        let answer = rest(stream, Duration::from_secs(5)).expect("it is closed");
        assert!(answer.starts_with("HTTP/1.1 431") || answer.is_empty(), "{answer}");
    }
    health(&host);
}

#[test]
fn s6_a_sign_in_is_small_and_asks_for_no_more() {
    let folder = Folder::release();
    let host = Host::start(&folder, |command| {
        command.env("HUB_SIGN_IN_SECONDS", "1");
    });
    let large = json!({"email": "a@b.example", "password": "x".repeat(5000)}).to_string();
    assert_eq!(host.post("/api/auth/login", &large).status, 413);
    // Fast enough for a body, and never whole.
    let mut stream = host.connect();
    stream
        .write_all(b"POST /api/auth/login HTTP/1.1\r\nhost: hub\r\ncontent-type: application/json\r\nexpect: 100-continue\r\nconnection: close\r\ncontent-length: 4000\r\n\r\n{")
        .unwrap();
    let begun = Instant::now();
    let answer = rest(stream, Duration::from_secs(8)).expect("it is closed");
    assert!(answer.contains("HTTP/1.1 408"), "{answer}");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn s6_more_connections_than_files() {
    let folder = Folder::release();
    let host = Host::start(&folder, |command| {
        // SAFETY: `setrlimit` is a system call, and nothing else is done between fork and exec.
        unsafe {
            std::os::unix::process::CommandExt::pre_exec(command, || {
                let limit = rustix::process::Rlimit { current: Some(1024), maximum: Some(1024) };
                Ok(rustix::process::setrlimit(rustix::process::Resource::Nofile, limit)?)
            });
        }
    });
    raise_files();
    let streams: Vec<TcpStream> = (0..1131).map(|_| host.connect()).collect();
    for _ in 0..5 {
        let took = health(&host);
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
    // What a run, the database and assets need is left.
    let open = fs::read_dir(format!("/proc/{}/fd", host.process())).unwrap().count();
    assert!(open < 900, "{open}");
    drop(streams);
    health(&host);
    let (_, log) = host.stop();
    assert!(log.contains("raise the limit of open files") && !log.contains("cannot accept"), "{log}");
}

#[test]
fn s6_streams_leave_connections_to_others() {
    let folder = Folder::release();
    // Sixteen places: eight for streams, four of them for one organisation.
    let host = Host::start_as_admin(&folder, |command| {
        command.env("HUB_CONNECTIONS", "16");
    });
    let mut streams: Vec<_> = (0..4).map(|_| host.stream("/api/session/events")).collect();
    streams.iter_mut().for_each(|stream| assert!(stream.next().contains("hello")));
    let refused = host.get("/api/session/events");
    assert_eq!((refused.status, &refused.json()["code"]), (429, &json!("too-many-streams")));
    assert!(health(&host) < Duration::from_secs(1));
}

#[test]
fn s6_sockets_leave_connections_to_others() {
    let folder = Folder::release();
    // As above: a socket has one of the streams' places.
    let host = Host::start_as_admin(&folder, |command| {
        command.env("HUB_CONNECTIONS", "16");
    });
    host.enable("good");
    let token = host.sign_in(program::ADMIN, program::PASSWORD);
    let ask = |path: &str, protocol: &str| -> (TcpStream, String) {
        let mut stream = host.connect();
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {token}\r\nconnection: upgrade\r\n\
             upgrade: {protocol}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // Not a byte more: the next one is another protocol's.
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            answer.push(byte[0]);
        }
        (stream, String::from_utf8(answer).unwrap())
    };
    let mut sockets = Vec::new();
    for _ in 0..4 {
        let (mut socket, head) = ask("/api/good/socket", "echo");
        assert!(head.starts_with("HTTP/1.1 101"), "{head}");
        socket.write_all(b"ping").unwrap();
        let mut back = [0; 4];
        socket.read_exact(&mut back).unwrap();
        assert_eq!(&back, b"ping");
        sockets.push(socket);
    }
    let (_, refused) = ask("/api/good/socket", "echo");
    assert!(refused.starts_with("HTTP/1.1 429"), "{refused}");
    let stream = host.get("/api/session/events");
    assert_eq!((stream.status, &stream.json()["code"]), (429, &json!("too-many-streams")));
    // Who asks for HTTP/2 gets an answer without a place.
    let (_, other) = ask("/api/good/notes/none", "h2c");
    assert!(other.starts_with("HTTP/1.1 404"), "{other}");
    assert!(health(&host) < Duration::from_secs(1));
    sockets.pop();
    let begun = Instant::now();
    while !ask("/api/good/socket", "echo").1.starts_with("HTTP/1.1 101") {
        assert!(begun.elapsed() < Duration::from_secs(30), "one that is closed is counted still");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn s6_streams_of_one_person_have_an_end() {
    let folder = Folder::release();
    let host = Host::start_as_admin(&folder, |command| {
        command.env("HUB_STREAMS_PER_USER", "3");
    });
    let mut streams: Vec<_> = (0..3).map(|_| host.stream("/api/session/events")).collect();
    streams.iter_mut().for_each(|stream| assert!(stream.next().contains("hello")));
    let refused = host.get("/api/session/events");
    assert_eq!((refused.status, &refused.json()["code"]), (429, &json!("too-many-streams")));
    drop(streams);
    let begun = Instant::now();
    // The host hears of it with the next sign of life at the latest.
    while host.get_head("/api/session/events") == 429 {
        assert!(begun.elapsed() < Duration::from_secs(30), "they are counted still");
        std::thread::sleep(Duration::from_millis(200));
    }
}

#[test]
fn s14_large_records_and_answers_that_nobody_reads() {
    let folder = Folder::release();
    let host = Host::start_as_admin(&folder, |_| {});
    let token = host.sign_in(program::ADMIN, program::PASSWORD);
    let new = |bytes: usize| json!({"title": "t", "fields": {"a": "x".repeat(bytes)}}).to_string();
    let refused = host.post("/api/records", &new(1_900_000));
    assert_eq!(refused.status, 422, "{}", &refused.text[..200.min(refused.text.len())]);
    assert_eq!(refused.json()["errors"][0]["field"], "fields");
    let blanks = json!({"title": format!("t{}", " ".repeat(1_900_000))}).to_string();
    // Blanks at its ends are not kept.
    assert_eq!(host.post("/api/records", &blanks).json()["title"], "t");
    let board =
        json!({"title": "b", "widgets": [{"block": "block:A", "props": {"a": "x".repeat(1_900_000)}}]});
    assert_eq!(host.post("/api/dashboards", &board.to_string()).status, 422);
    for _ in 0..150 {
        assert_eq!(host.post("/api/records", &new(60_000)).status, 201);
    }
    // A page ends at its bytes, and says where the next one begins.
    let (mut seen, mut offset, mut pages) = (0, 0, 0);
    loop {
        let page = host.get(&format!("/api/records?limit=500&offset={offset}"));
        assert!(page.text.len() < 3 << 20, "{}", page.text.len());
        let page = page.json();
        seen += page["items"].as_array().unwrap().len() as u64;
        pages += 1;
        match page["next"].as_u64() {
            Some(next) => offset = next,
            None => {
                assert_eq!(page["total"], seen);
                break;
            }
        }
    }
    assert!(pages >= 3, "{pages}");
    // Answers that nobody reads hold no more than their share.
    let unread: Vec<TcpStream> = (0..60)
        .map(|_| {
            let mut stream = host.connect();
            let head = format!(
                "GET /api/records?limit=500 HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {token}\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_secs(3));
    assert!(health(&host) < Duration::from_secs(1));
    let peak = peak(host.process());
    assert!(peak <= 200, "{peak} MiB");
    drop(unread);
}

/// S14: nobody is told to wait for what there never is.
#[test]
fn s14_what_alone_is_larger_than_all_may_be_together_does_not_wait_for_ever() {
    let folder = Folder::release();
    let host = Host::start_as_admin(&folder, |command| {
        command.env("HUB_ANSWERS_MEMORY", "1048576").env("HUB_BODIES_MEMORY", "1048576");
    });
    let new = |bytes: usize| json!({"title": "t", "fields": {"a": "x".repeat(bytes)}}).to_string();
    for _ in 0..25 {
        assert_eq!(host.post("/api/records", &new(60_000)).status, 201);
    }
    let page = host.get("/api/records?limit=500");
    assert_eq!((page.status, page.text.len() > 1 << 20), (200, true), "{}", page.text.len());
    // A few bytes more than all bodies may have, so that none of it is left unread.
    let free = 16 << 10;
    let large = new((1 << 20) + free - new(0).len() + 10);
    assert_eq!(host.post("/api/records", &large).status, 413);
}

#[test]
fn s14_dashboards_of_small_values_are_only_passed_on() {
    let folder = Folder::release();
    let host = Host::start_as_admin(&folder, |_| {});
    let token = host.sign_in(program::ADMIN, program::PASSWORD);
    let zeros = vec![0; 32_000];
    let board = json!({"title": "b", "widgets": [{"block": "block:A", "props": {"a": zeros}}]}).to_string();
    for _ in 0..190 {
        assert_eq!(host.post("/api/dashboards", &board).status, 201);
    }
    let all = host.get("/api/dashboards").json();
    assert_eq!(all.as_array().unwrap().len(), 190);
    assert_eq!(all[7]["widgets"], json!([{"block": "block:A", "props": {"a": zeros}}]));
    let unread: Vec<TcpStream> = (0..30)
        .map(|_| {
            let mut stream = host.connect();
            let head =
                format!("GET /api/dashboards HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {token}\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            stream
        })
        .collect();
    std::thread::sleep(Duration::from_secs(3));
    assert!(health(&host) < Duration::from_secs(1));
    let peak = peak(host.process());
    eprintln!("the host's peak with 190 dashboards of small values: {peak} MiB");
    assert!(peak <= 200, "{peak} MiB");
    drop(unread);
}

#[test]
fn s6_an_answer_that_nobody_takes_ends() {
    let folder = Folder::release();
    folder.write("web/assets/large-1a2b.js", &"x".repeat(32 << 20));
    let host = Host::start(&folder, |command| {
        command.env("HUB_SEND_SECONDS", "1");
    });
    let mut stream = host.connect();
    stream.write_all(b"GET /assets/large-1a2b.js HTTP/1.1\r\nhost: hub\r\n\r\n").unwrap();
    std::thread::sleep(Duration::from_secs(3));
    let taken = rest(stream, Duration::from_secs(10)).expect("it is closed");
    assert!(taken.len() < 32 << 20, "all of it came");
    // Whoever takes it gets all of it.
    assert_eq!(host.get("/assets/large-1a2b.js").text.len(), 32 << 20);
}

#[test]
fn s20_headers_as_a_scanner_expects_them() {
    let folder = Folder::release();
    let host = Host::start_as_admin(&folder, |_| {});
    let api = host.get("/api/session");
    assert_eq!(api.header("cache-control"), "no-store");
    assert_eq!(api.header("x-content-type-options"), "nosniff");
    // What no browser shows as a page needs no word about frames.
    assert_eq!(api.header("content-security-policy"), "");
    let shown = host.get("/api/audit/export");
    assert_eq!(shown.header("content-security-policy"), "frame-ancestors 'self'");
    assert_eq!(api.header("strict-transport-security"), "", "without TLS nobody promises it");
    let tls = host.ask("GET", "/api/session", &[("x-forwarded-proto", "HTTPS, http")], "");
    assert_eq!(tls.header("strict-transport-security"), "max-age=31536000");
    let missing = host.get("/api/nothing");
    assert_eq!((missing.status, missing.header("cache-control")), (404, "no-store"));
    for path in ["/api/nothing", "/api", "/metrics", "/assets/app-1a2b.js", "/no/such/page"] {
        assert_eq!(host.get(path).header("x-content-type-options"), "nosniff", "{path}");
    }
    let nobodys = host.ask("GET", "/api/session", &[("host", "a b")], "");
    assert_eq!((nobodys.status, nobodys.header("x-content-type-options")), (400, "nosniff"));
    let page = host.ask("GET", "/", &[("accept", "text/html"), ("x-forwarded-proto", "https")], "");
    for (name, part) in [
        ("content-security-policy", "frame-ancestors 'none'"),
        ("referrer-policy", "same-origin"),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(self)"),
        ("strict-transport-security", "max-age="),
    ] {
        assert!(page.header(name).contains(part), "{name}: {}", page.header(name));
    }
    let mut events = host.stream("/api/session/events");
    let head = events.next();
    assert!(head.contains("x-accel-buffering: no") && head.contains("no-store, no-transform"), "{head}");
}

on_both! {
    fn o8_what_orchestrators_ask(world: &World) {
        let host = Host::start(&world.folder, |command| world.prepare(command));
        for path in ["/livez", "/readyz", "/startupz", "/healthz"] {
            let answer = host.get(path);
            assert_eq!((answer.status, &answer.json()["status"]), (200, &json!("ok")), "{path}");
            assert_eq!(answer.header("cache-control"), "no-store");
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        }
        // A browser gets the page, which says that there is no such page; all hear it from the status.
        let html = [("accept", "text/html,*/*;q=0.8")];
        let unknown = host.ask("GET", "/no/such/page", &html, "");
        assert_eq!((unknown.status, unknown.header("content-type")), (404, "text/html; charset=utf-8"));
        assert_eq!(unknown.header("cache-control"), "no-store");
        assert_eq!(host.get("/no/such/page").header("content-type"), "application/problem+json");
        for page in ["/records", "/dashboards/7", "/good/any", "/plugins/good/any", "/"] {
            assert_eq!(host.ask("GET", page, &html, "").status, 200, "{page}");
        }
        // What is not there is not there for any method.
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
            for (path, status) in
                [("/no/such/page", 404), ("/assets/gone.js", 404), ("/records", 405), ("/", 405)]
            {
                assert_eq!(host.ask(method, path, &[], "").status, status, "{method} {path}");
            }
        }
    }

    fn o8_metrics_are_for_this_machine_or_by_token(world: &World) {
        let host = Host::start(&world.folder, |command| world.prepare(command));
        host.get("/api/health");
        let here = [("host", "127.0.0.1:8001")];
        let metrics = host.ask("GET", "/metrics", &here, "");
        assert_eq!(metrics.status, 200, "{}", metrics.text);
        assert!(metrics.header("content-type").starts_with("application/openmetrics-text"));
        assert!(metrics.text.ends_with("# EOF\n"), "{}", metrics.text);
        for line in [
            "hub_build_info{version=\"7.8.9\"} 1",
            "hub_http_requests_total{class=\"2xx\"} 1",
            "hub_serving 1",
            "hub_plugins{state=\"invalid\"} 1",
        ] {
            assert!(metrics.text.contains(&format!("{line}\n")), "{line}: {}", metrics.text);
        }
        for name in ["process_resident_memory_bytes", "hub_database_connections{state=\"used\"}"] {
            assert!(metrics.text.contains(&format!("\n{name} ")), "{name}: {}", metrics.text);
        }
        // Somebody else, behind a proxy on this machine.
        let proxied = host.ask("GET", "/metrics", &[here[0], ("x-forwarded-for", "192.0.2.7")], "");
        assert_eq!(proxied.status, 404);
        for proxy in [("x-real-ip", "192.0.2.7"), ("via", "1.1 cache"), ("forwarded", "for=192.0.2.7")] {
            assert_eq!(host.ask("GET", "/metrics", &[here[0], proxy], "").status, 404, "{proxy:?}");
        }
        // What nginx speaks by itself, and a proxy's target.
        assert_eq!(status_of(&host, "GET /metrics HTTP/1.0\r\nhost: 127.0.0.1\r\n\r\n"), "404");
        let target =
            "GET http://127.0.0.1/metrics HTTP/1.1\r\nhost: hub.example.com\r\nconnection: close\r\n\r\n";
        assert_eq!(status_of(&host, target), "400");
        assert_eq!(host.ask("GET", "/metrics", &[("host", "hub.example.com")], "").status, 404);
        host.stop();
        let token = "a token of some length";
        let host = Host::start(&world.folder, |command| {
            world.prepare(command);
            command.env("HUB_METRICS_TOKEN", token);
        });
        assert_eq!(host.ask("GET", "/metrics", &here, "").status, 404);
        for (sent, status) in [(format!("Bearer {token}"), 200), (format!("Bearer {token}r"), 404)] {
            let headers = [("authorization", sent.as_str()), ("x-forwarded-for", "192.0.2.7")];
            assert_eq!(host.ask("GET", "/metrics", &headers, "").status, status, "{sent}");
        }
    }

    fn o12_a_plugin_is_switched_without_a_body(world: &World) {
        let host = world.host();
        let bare = host.ask("POST", "/api/plugins/good/enable", &[], "");
        assert_eq!((bare.status, &bare.json()["scope"]), (200, &json!("org")), "{}", bare.text);
        let empty = host.post("/api/plugins/good/disable", "");
        assert_eq!((empty.status, &empty.json()["to"]), (200, &json!("disabled")), "{}", empty.text);
        for body in ["{}", "null", r#"{"scope": "org"}"#, r#"{"scope": null}"#] {
            let answer = host.post("/api/plugins/good/enable", body);
            assert_eq!((answer.status, &answer.json()["scope"]), (200, &json!("org")), "{body}: {}", answer.text);
        }
        let tenant = host.post("/api/tenants", r#"{"name": "Alder"}"#).json()["id"].as_str().unwrap().to_owned();
        let named = host.post("/api/plugins/good/disable", &json!({"tenant": tenant}).to_string());
        assert_eq!((named.status, &named.json()["scope"]), (200, &json!("tenant")), "{}", named.text);
        let both = json!({"scope": "org", "tenant": tenant}).to_string();
        for body in [
            "[]",
            "1",
            r#"{"scope": "all"}"#,
            r#"{"scope": "tenant"}"#,
            r#"{"org": true}"#,
            r#"{"tenant": null}"#,
            &both,
        ] {
            assert_eq!(host.post("/api/plugins/good/enable", body).status, 422, "{body}");
        }
        let plugins = host.get("/api/plugins").json();
        assert!(plugins[0].as_object().unwrap().contains_key("dbt_workspace"), "{plugins}");
    }
}

/// The status of an answer to a request as it is written.
fn status_of(host: &Host, request: &str) -> String {
    let mut stream = host.connect();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn o8_a_request_names_one_host() {
    let folder = Folder::release();
    let host = Host::start(&folder, |_| {});
    let status = |head: &str| status_of(&host, &format!("{head}connection: close\r\n\r\n"));
    assert_eq!(status("GET /livez HTTP/1.1\r\nhost: a\r\n"), "200");
    assert_eq!(status("GET http://a/livez HTTP/1.1\r\nhost: a\r\n"), "200");
    assert_eq!(status("GET /livez HTTP/1.0\r\n"), "200");
    assert_eq!(status("GET /livez HTTP/1.1\r\n"), "400");
    assert_eq!(status("GET /livez HTTP/1.1\r\nhost: a\r\nhost: b\r\n"), "400");
    assert_eq!(status("GET http://b/livez HTTP/1.1\r\nhost: a\r\n"), "400");
}

/// The test's own files: two thousand connections are as many.
fn raise_files() {
    let mut limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    limit.current = limit.maximum;
    rustix::process::setrlimit(rustix::process::Resource::Nofile, limit).unwrap();
}
