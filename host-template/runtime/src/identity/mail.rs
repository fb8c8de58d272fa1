//! Mail: invitations by SMTP, where `HUB_SMTP_URL` names a server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use hub_manifest::environment::{self, quoted};
use hub_manifest::limits::{Limit, Limits};
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use url::Url;

use crate::fault::Fault;
use crate::settings::Env;

const SERVER: &str = environment::HUB_SMTP_URL;
const FROM: &str = environment::HUB_MAIL_FROM;
const PUBLIC: &str = environment::HUB_PUBLIC_URL;

/// A mail server, and in whose name mails are sent.
pub(crate) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// Longest wait for one mail.
    patience: Duration,
    /// Where links begin.
    base: String,
    /// Whether nobody has said where.
    is_guessed: bool,
}

/// Where people reach the platform, as the operator says it; without a slash at its end.
fn public_url(env: Env<'_>) -> Result<Option<String>, Fault> {
    let Some(text) = env(PUBLIC) else { return Ok(None) };
    let sound = Url::parse(&text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
    });
    if sound {
        return Ok(Some(text.trim_end_matches('/').to_owned()));
    }
    Err(Fault::machine(
        format!("{PUBLIC} is {}, which is not the address of a page", quoted(&text)),
        "write it as a browser shows it, such as https://hub.example.com",
    ))
}

impl Mailer {
    /// The one that the environment names, for a host that listens on `address`.
    pub(crate) fn of(env: Env<'_>, limits: &Limits, address: SocketAddr) -> Result<Option<Mailer>, Fault> {
        let Some(text) = env(SERVER) else { return Ok(None) };
        let from = env(FROM).ok_or_else(|| {
            Fault::machine(
                format!("{SERVER} is set, and {FROM} is not"),
                format!("set {FROM} to the address that mails come from, such as `Hub <hub@example.com>`"),
            )
        })?;
        let from: Mailbox = from.parse().map_err(|e| {
            Fault::machine(
                format!("{FROM} is {}, which is no address: {e}", quoted(&from)),
                format!("write {FROM} as hub@example.com or `Hub <hub@example.com>`"),
            )
        })?;
        let server = Server::parse(&text).map_err(|why| {
            // The text may hold a password.
            Fault::machine(
                format!("{SERVER} is not the address of a mail server: {why}"),
                "write it as smtp://user:password@mail.example.com:587 or smtps://…",
            )
        })?;
        let patience = limits.time(Limit::MailSeconds);
        let transport = server.transport(from.email.domain(), patience).map_err(|why| {
            Fault::machine(format!("cannot speak TLS with the mail server: {why}"), "look at HUB_SMTP_URL")
        })?;
        let told = public_url(env)?;
        let is_guessed = told.is_none();
        let base = told.unwrap_or_else(|| format!("http://{}", reached(address, way_out)));
        Ok(Some(Mailer { transport, from, patience, base, is_guessed }))
    }

    /// Where links begin, where nobody has said it.
    pub(crate) fn guessed(&self) -> Option<&str> {
        self.is_guessed.then_some(&*self.base)
    }

    /// The address of a path of the platform, for people outside; `prefix` is the path below which it is served, which
    /// `HUB_PUBLIC_URL` may hold already.
    pub(crate) fn link(&self, prefix: &str, path: &str) -> String {
        link(&self.base, prefix, path)
    }

    /// Sends a mail of plain text; the error says why it could not.
    pub(crate) async fn send(&self, to: &str, subject: &str, text: String) -> Result<(), String> {
        let to: Address = to.parse().map_err(|e| format!("`{to}` cannot be written to: {e}"))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text)
            .map_err(|e| e.to_string())?;
        match tokio::time::timeout(self.patience, self.transport.send(message)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err(format!("the mail server did not take it within {} s", self.patience.as_secs())),
        }
    }
}

fn link(base: &str, prefix: &str, path: &str) -> String {
    let prefix = if base.ends_with(prefix) { "" } else { prefix };
    format!("{base}{prefix}{path}")
}

/// What `HUB_SMTP_URL` says.
#[derive(Debug, PartialEq, Eq)]
struct Server {
    host: String,
    port: u16,
    credentials: Option<(String, String)>,
    safety: Safety,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Safety {
    /// TLS from the first byte.
    Wrapped,
    /// STARTTLS, or nothing is sent.
    Required,
    /// STARTTLS where the server offers it.
    Offered,
    None,
}

impl Server {
    fn parse(text: &str) -> Result<Server, String> {
        let url = Url::parse(text).map_err(|e| e.to_string())?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or("it names no host")?.to_owned();
        let decoded = |text: &str| {
            percent(text).ok_or_else(|| "user and password have to be percent-encoded UTF-8".to_owned())
        };
        let credentials = match (url.username(), url.password()) {
            ("", _) => None,
            (user, password) => Some((decoded(user)?, decoded(password.unwrap_or_default())?)),
        };
        let here = matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]");
        let safety = match (url.scheme(), url.query()) {
            ("smtps", None) => Safety::Wrapped,
            ("smtp", Some("tls=required")) => Safety::Required,
            ("smtp", Some("tls=none")) => Safety::None,
            // A password is not sent in clear over a network.
            ("smtp", None) if credentials.is_some() && !here => Safety::Required,
            ("smtp", None | Some("tls=opportunistic")) => Safety::Offered,
            ("smtp" | "smtps", _) => {
                return Err(
                    "what stands behind `?` can be tls=required, tls=opportunistic or tls=none".to_owned()
                );
            }
            _ => return Err("it begins with neither smtp:// nor smtps://".to_owned()),
        };
        let port = url.port().unwrap_or(match (safety, &credentials) {
            (Safety::Wrapped, _) => 465,
            (_, Some(_)) => 587,
            (_, None) => 25,
        });
        Ok(Server { host, port, credentials, safety })
    }

    fn transport(self, name: &str, patience: Duration) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
        let Server { host, port, credentials, safety } = self;
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let parameters = || TlsParameters::new(bare.clone()).map_err(|e| e.to_string());
        let tls = match safety {
            Safety::Wrapped => Tls::Wrapper(parameters()?),
            Safety::Required => Tls::Required(parameters()?),
            Safety::Offered => Tls::Opportunistic(parameters()?),
            Safety::None => Tls::None,
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(bare.clone())
            .port(port)
            .tls(tls)
            .hello_name(ClientId::Domain(name.to_owned()))
            .timeout(Some(patience));
        if let Some((user, password)) = credentials {
            builder = builder.credentials(Credentials::new(user, password));
        }
        Ok(builder.build())
    }
}

/// Undoes percent-encoding.
fn percent(text: &str) -> Option<String> {
    // These are themselves in this part of a URL.
    let text = text.replace('+', "%2B").replace('&', "%26").replace('=', "%3D");
    let pairs: Vec<_> = url::form_urlencoded::parse(text.as_bytes()).collect();
    let decoded = pairs.first().map(|(name, _)| name.clone().into_owned()).unwrap_or_default();
    (!decoded.contains('\u{fffd}')).then_some(decoded)
}

/// The address at which others reach a host that listens on `address`. One that listens on all of the machine's is reached
/// at that from which the machine itself goes out, as `way_out` tells, where it has one.
fn reached(address: SocketAddr, way_out: impl Fn(IpAddr) -> Option<IpAddr>) -> SocketAddr {
    if !address.ip().is_unspecified() {
        return address;
    }
    // Addresses for documentation.
    let v4 = Ipv4Addr::new(192, 0, 2, 1).into();
    let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into();
    let own = match address {
        // Nobody listens on IPv6 then, even where that is the machine's only way out.
        SocketAddr::V4(_) => way_out(v4).unwrap_or(Ipv4Addr::LOCALHOST.into()),
        // A socket for IPv6 takes both.
        SocketAddr::V6(_) => way_out(v4).or_else(|| way_out(v6)).unwrap_or(Ipv6Addr::LOCALHOST.into()),
    };
    SocketAddr::new(own, address.port())
}

/// The address from which this machine goes out to another one; none where it has no way there. The system looks up the way,
/// and sends nothing.
fn way_out(to: IpAddr) -> Option<IpAddr> {
    let any: IpAddr = match to {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    // A machine without this kind of address fails at the first call, one without a way at the second: neither has one.
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((to, 9)).ok()?;
    socket.local_addr().ok().map(|own| own.ip()).filter(|own| !own.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (String, u16, bool, Safety) {
        let server = Server::parse(text).unwrap();
        (server.host, server.port, server.credentials.is_some(), server.safety)
    }

    // O7
    #[test]
    fn o7_a_link_holds_the_base_path_once() {
        for (base, prefix, want) in [
            ("https://hub.example.com", "", "https://hub.example.com/invitation#x"),
            ("https://example.com", "/hub", "https://example.com/hub/invitation#x"),
            ("https://example.com/hub", "/hub", "https://example.com/hub/invitation#x"),
            ("https://example.com/tools/hub", "/hub", "https://example.com/tools/hub/invitation#x"),
        ] {
            assert_eq!(link(base, prefix, "/invitation#x"), want);
        }
    }

    #[test]
    fn what_names_a_server() {
        assert_eq!(parsed("smtp://127.0.0.1:2525"), ("127.0.0.1".into(), 2525, false, Safety::Offered));
        assert_eq!(
            parsed("smtp://a:b@mail.example.com"),
            ("mail.example.com".into(), 587, true, Safety::Required)
        );
        assert_eq!(
            parsed("smtps://a:b@mail.example.com"),
            ("mail.example.com".into(), 465, true, Safety::Wrapped)
        );
        assert_eq!(parsed("smtp://mail?tls=none"), ("mail".into(), 25, false, Safety::None));
        let server = Server::parse("smtp://a%40b.c:p%2Fq+r%3D%26@mail").unwrap();
        assert_eq!(server.credentials, Some(("a@b.c".into(), "p/q+r=&".into())));
        for wrong in
            ["mail.example.com", "http://mail", "smtp://", "smtp://mail?tls=maybe", "smtps://mail?x=1"]
        {
            assert!(Server::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_server_that_is_half_configured_is_said_at_the_start() {
        let limits = Limits::default();
        let said = |pairs: &[(&str, &str)]| {
            let env = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, v)| (*v).to_owned());
            Mailer::of(&env, &limits, ([127, 0, 0, 1], 8001).into()).err().map(|fault| fault.to_string())
        };
        assert_eq!(said(&[]), None);
        assert_eq!(said(&[(SERVER, "smtp://mail"), (FROM, "Hub <hub@example.com>")]), None);
        assert!(said(&[(SERVER, "smtp://mail")]).unwrap().contains("HUB_MAIL_FROM is not"));
        let secret = said(&[(SERVER, "smtpx://u:secret@mail"), (FROM, "hub@example.com")]).unwrap();
        assert!(secret.contains("neither smtp:// nor smtps://") && !secret.contains("secret"), "{secret}");
        assert!(said(&[(SERVER, "smtp://mail"), (FROM, "nobody")]).unwrap().contains("no address"));
    }

    // O7
    #[test]
    fn o7_links_begin_where_the_host_listens_unless_somebody_says_otherwise() {
        let base = |listen: &str, public: Option<&str>| {
            let env = |name: &str| match name {
                SERVER => Some("smtp://mail".to_owned()),
                FROM => Some("hub@example.com".to_owned()),
                PUBLIC => public.map(str::to_owned),
                // What another start has been told.
                "LISTEN" => Some("127.0.0.1:1".to_owned()),
                _ => None,
            };
            let mailer = Mailer::of(&env, &Limits::default(), listen.parse().unwrap()).unwrap().unwrap();
            (mailer.link("", "/x"), mailer.guessed().is_some())
        };
        assert_eq!(base("127.0.0.1:8123", None), ("http://127.0.0.1:8123/x".to_owned(), true));
        assert_eq!(base("[::1]:8123", None), ("http://[::1]:8123/x".to_owned(), true));
        let told = base("0.0.0.0:8123", Some("https://hub.example.com/"));
        assert_eq!(told, ("https://hub.example.com/x".to_owned(), false));
        // Nobody can open the address of all addresses.
        for listen in ["0.0.0.0:8123", "[::]:8123"] {
            let (link, _) = base(listen, None);
            assert!(
                link.ends_with(":8123/x") && !link.contains("0.0.0.0") && !link.contains("[::]"),
                "{link}"
            );
        }
    }

    // O7
    #[test]
    fn o7_a_link_leads_to_no_address_of_a_kind_that_nobody_listens_on() {
        let v4: Option<IpAddr> = Some([203, 0, 113, 7].into());
        let v6: Option<IpAddr> = "2001:db8::7".parse().ok();
        for (listen, by_v4, by_v6, want) in [
            ("127.0.0.1:8123", v4, v6, "127.0.0.1:8123"),
            ("0.0.0.0:8123", v4, v6, "203.0.113.7:8123"),
            ("0.0.0.0:8123", None, v6, "127.0.0.1:8123"),
            ("0.0.0.0:8123", None, None, "127.0.0.1:8123"),
            ("[::]:8123", v4, v6, "203.0.113.7:8123"),
            ("[::]:8123", None, v6, "[2001:db8::7]:8123"),
            ("[::]:8123", None, None, "[::1]:8123"),
        ] {
            let found = reached(listen.parse().unwrap(), |to| if to.is_ipv4() { by_v4 } else { by_v6 });
            assert_eq!(found.to_string(), want, "{listen} {by_v4:?} {by_v6:?}");
        }
    }
}
