//! Which addresses a test of a connection may reach: what the operator allows and denies, and what is denied always.
//!
//! Whoever may test connections can have the host knock at a machine. The address is looked at after the name has been
//! resolved, and the test then goes to that address and no other: a name that leads elsewhere a moment later is of no use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::networks;
use crate::settings::Env;

const ALLOW: &str = "HUB_CONNECTOR_ALLOW";
const DENY: &str = "HUB_CONNECTOR_DENY";

/// Never reached: what is no machine, the machine's own link with the metadata services of clouds on it, and those of them that
/// have an address elsewhere (AWS and Google by IPv6, Alibaba, Oracle, Azure).
const NEVER: &[&str] = &[
    "0.0.0.0/8",
    "169.254.0.0/16",
    "224.0.0.0/4",
    "255.255.255.255/32",
    "100.100.100.200/32",
    "168.63.129.16/32",
    "192.0.0.192/32",
    "::/128",
    "fe80::/10",
    "ff00::/8",
    "fd00:ec2::254/128",
    "fd20:ce::254/128",
];

/// What the operator says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reach {
    /// Where this holds any, nothing else is reached.
    allow: Vec<IpNet>,
    deny: Vec<IpNet>,
}

impl Reach {
    /// What the environment says.
    pub(crate) fn of(env: Env<'_>) -> Result<Reach, Fault> {
        Ok(Reach { allow: networks::of_variable(env, ALLOW)?, deny: networks::of_variable(env, DENY)? })
    }

    /// Whether a test may go there.
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        let address = plain(address);
        let never =
            NEVER.iter().filter_map(|text| text.parse::<IpNet>().ok()).any(|net| net.contains(&address));
        let within = |networks: &[IpNet]| networks.iter().any(|network| network.contains(&address));
        !never && !within(&self.deny) && (self.allow.is_empty() || within(&self.allow))
    }

    /// All networks for a program that looks for itself: those allowed, and those denied.
    pub(super) fn lists(&self) -> (Vec<String>, Vec<String>) {
        let text = |networks: &[IpNet]| networks.iter().map(ToString::to_string).collect::<Vec<_>>();
        let deny = NEVER.iter().map(|text| (*text).to_owned()).chain(text(&self.deny));
        (text(&self.allow), deny.collect())
    }
}

/// The address that is meant: IPv4 has several clothes in IPv6.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = address else { return address };
    let parts = six.segments();
    let four = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // Mapped, translated, and the older compatible form; `::` and `::1` are themselves.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => four(high, low),
        [0, 0, 0, 0, 0, 0, high, low] if six != Ipv6Addr::UNSPECIFIED && six != Ipv6Addr::LOCALHOST => {
            four(high, low)
        }
        // NAT64 and 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => four(high, low),
        [0x2002, high, low, ..] => four(high, low),
        _ => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(pairs: &[(&str, &str)]) -> Result<Reach, String> {
        let env =
            |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Reach::of(&env).map_err(|fault| fault.what().to_owned())
    }

    #[test]
    fn s16_what_is_reached() {
        let check = |reach: &Reach, address: &str, want: bool| {
            assert_eq!(reach.allows(address.parse().unwrap()), want, "{address}");
        };
        let open = reach(&[]).unwrap();
        for address in ["10.1.2.3", "127.0.0.1", "::1", "2001:db8::1", "203.0.113.9"] {
            check(&open, address, true);
        }
        for address in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "::ffff:0:a9fe:a9fe",
            "168.63.129.16",
            "fd20:ce::254",
            "::169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "2002:a9fe:a9fe::1",
            "fe80::1",
            "fd00:ec2::254",
            "100.100.100.200",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "ff02::1",
            "255.255.255.255",
        ] {
            check(&open, address, false);
        }
        let some = reach(&[(ALLOW, "10.0.0.0/8, 192.0.2.7"), (DENY, "10.9.0.0/16")]).unwrap();
        for (address, want) in [
            ("10.1.0.1", true),
            ("10.9.0.1", false),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("127.0.0.1", false),
        ] {
            check(&some, address, want);
        }
        let mapped = reach(&[(DENY, "::ffff:10.0.0.0/104")]).unwrap();
        for (address, want) in [("10.1.2.3", false), ("::ffff:10.1.2.3", false), ("11.1.2.3", true)] {
            check(&mapped, address, want);
        }
        let all = reach(&[(ALLOW, "0.0.0.0/0")]).unwrap();
        check(&all, "169.254.169.254", false);
        assert_eq!(
            reach(&[(DENY, "10.0.0.0/99")]).unwrap_err(),
            "HUB_CONNECTOR_DENY holds `10.0.0.0/99`, which is no network"
        );
    }
}
