//! Which addresses a test of a connection may reach: what the operator allows and denies, and what is denied always.
//!
//! Whoever may test connections can have the host knock at a machine. The address is looked at after the name has been
//! resolved, and the test then goes to that address and no other: a name that leads elsewhere a moment later is of no use.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hub_manifest::environment;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::fault::Fault;
use crate::networks;
use crate::settings::Env;

const ALLOW: &str = environment::HUB_CONNECTOR_ALLOW;
const DENY: &str = environment::HUB_CONNECTOR_DENY;

/// Never reached: what is no machine, the machine's own link with the metadata services of clouds on it, and those of them that
/// have an address elsewhere (AWS, Google and Scaleway by IPv6, Alibaba, Oracle, Azure). AWS has a network for several of them: of
/// machines, of the names of pods, of the time.
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
    "fd00:ec2::/32",
    "fd00:42::42/128",
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

    /// Whether a test may go there. What an address may stand for is denied with it, whichever of that is meant.
    pub(crate) fn allows(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let inner = embedded(address);
        let within =
            |networks: &[IpNet], address: &IpAddr| networks.iter().any(|network| network.contains(address));
        let never = |address: &IpAddr| {
            NEVER
                .iter()
                .filter_map(|text| text.parse::<IpNet>().ok())
                .any(|network| network.contains(address))
        };
        let denied = |address: &IpAddr| never(address) || within(&self.deny, address);
        let allowed = self.allow.is_empty()
            || within(&self.allow, &address)
            || !inner.is_empty() && inner.iter().all(|inner| within(&self.allow, inner));
        allowed && !std::iter::once(&address).chain(&inner).any(denied)
    }

    /// All networks for a program that looks for itself: those allowed, and those denied.
    pub(crate) fn lists(&self) -> (Vec<String>, Vec<String>) {
        let text = |networks: &[IpNet]| networks.iter().map(ToString::to_string).collect::<Vec<_>>();
        let deny = NEVER.iter().map(|text| (*text).to_owned()).chain(text(&self.deny));
        (text(&self.allow), deny.collect())
    }
}

/// The addresses of IPv4 that one of IPv6 may stand for. `connect.py` reads them in the same way.
fn embedded(address: IpAddr) -> Vec<IpAddr> {
    /// The last 32 bits.
    const LAST: [usize; 4] = [12, 13, 14, 15];
    let IpAddr::V6(six) = address else { return Vec::new() };
    let bytes = six.octets();
    let four = |places: [usize; 4]| Ipv4Addr::from(places.map(|place| bytes[place]));
    let found = match six.segments() {
        [0, 0, 0, 0, 0, 0, ..] if six == Ipv6Addr::UNSPECIFIED || six == Ipv6Addr::LOCALHOST => Vec::new(),
        // Translated, the older compatible form, and NAT64. A mapped one is plain by now.
        [0, 0, 0, 0, 0xffff, 0, ..] | [0, 0, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => {
            vec![four(LAST)]
        }
        // NAT64 of a network's own (RFC 8215), for prefixes of 48, 56, 64 and 96 bits (RFC 6052): which of them it is, is known
        // there alone. Where another form has its zeros there is no address.
        [0x64, 0xff9b, 1, ..] => {
            let forms = [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], LAST].map(four);
            let some: Vec<Ipv4Addr> = forms.into_iter().filter(|form| form.octets()[0] != 0).collect();
            if some.is_empty() { forms.to_vec() } else { some }
        }
        // 6to4.
        [0x2002, ..] => vec![four([2, 3, 4, 5])],
        // Teredo: the server, and the machine behind it with all bits turned round.
        [0x2001, 0, ..] => vec![four([4, 5, 6, 7]), Ipv4Addr::from_bits(!four(LAST).to_bits())],
        _ => Vec::new(),
    };
    found.into_iter().map(IpAddr::V4).collect()
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
        for address in [
            "10.1.2.3",
            "127.0.0.1",
            "::1",
            "2001:db8::1",
            "203.0.113.9",
            "fd00:ec3::254",
            "fd00:42::43",
            "64:ff9b::a01:203",
            "64:ff9b:1::a01:203",
            "64:ff9b:1:a01:2:300::",
            "2001:0:cb00:7107::fefe:fdfc",
        ] {
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
            "fd00:ec2::23",
            "fd00:42::42",
            "64:ff9b:1::a9fe:a9fe",
            "64:ff9b:1:a9fe:a9:fe00::",
            "64:ff9b:1:a9:fe:a9fe::",
            "64:ff9b:1:0:a9:fea9:fe00::",
            "64:ff9b:1::",
            "2001:0:a9fe:a9fe::1",
            "2001:0:cb00:7107:0:0:5601:5601",
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
        // What an address may stand for counts, and so does the address itself.
        let denied = reach(&[(DENY, "10.0.0.0/8,2002:cb00::/32")]).unwrap();
        for (address, want) in [
            ("::10.1.2.3", false),
            ("64:ff9b::a01:203", false),
            ("64:ff9b:1::a01:203", false),
            ("64:ff9b:1:a01:2:300::", false),
            ("64:ff9b:1::b01:203", true),
            ("2002:a01:203::1", false),
            ("2002:cb00:7109::1", false),
            ("2002:c000:207::1", true),
            ("2001:0:a01:203::1", false),
            ("2001:0:cb00:7107::f5fe:fdfc", false),
        ] {
            check(&denied, address, want);
        }
        let allowed = reach(&[(ALLOW, "10.0.0.0/8,2001:0:cb00::/48")]).unwrap();
        for (address, want) in [
            ("64:ff9b::a01:203", true),
            ("64:ff9b:1::a01:203", true),
            ("64:ff9b:1::b01:203", false),
            ("2001:0:a01:203::f5fe:fdfc", true),
            ("2001:0:a01:203::f4fe:fdfc", false),
            ("2001:0:cb00:7107::f4fe:fdfc", true),
            ("::1", false),
        ] {
            check(&allowed, address, want);
        }
        let all = reach(&[(ALLOW, "0.0.0.0/0")]).unwrap();
        check(&all, "169.254.169.254", false);
        assert_eq!(
            reach(&[(DENY, "10.0.0.0/99")]).unwrap_err(),
            "HUB_CONNECTOR_DENY holds `10.0.0.0/99`, which is no network"
        );
    }
}
