//! Networks as operators write them into variables: one reading for whoever holds addresses against them.

use std::net::IpAddr;

use hub_manifest::environment::quoted;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

use crate::fault::Fault;
use crate::settings::Env;

/// Bits before the address of IPv4 in one that is mapped into IPv6 (`::ffff:192.0.2.7`).
const MAPPED: u8 = 96;

/// The networks that a variable names, with commas or blanks between them.
///
/// Each holds addresses in their plain form ([`IpAddr::to_canonical`]): a network of mapped addresses is one of IPv4.
pub(crate) fn of_variable(env: Env<'_>, variable: &str) -> Result<Vec<IpNet>, Fault> {
    let text = env(variable).unwrap_or_default();
    let words: Vec<&str> = text.split([',', ' ']).map(str::trim).filter(|word| !word.is_empty()).collect();
    // Whoever sets it means some: none is what an unset one says, and that may mean all.
    if words.is_empty() && !text.is_empty() {
        return Err(Fault::machine(
            format!("{variable} is {}, which names no network", quoted(&text)),
            "write addresses or networks with commas between them, such as 10.0.0.0/8,192.0.2.7, or leave it unset",
        ));
    }
    let networks = words.into_iter().map(|word| {
        network(word).map_err(|Wrong { what, how }| {
            Fault::machine(format!("{variable} holds {}, which {what}", quoted(word)), how)
        })
    });
    networks.collect()
}

/// Why a word names no network, and what to write.
struct Wrong {
    what: &'static str,
    how: &'static str,
}

const NONE: Wrong = Wrong {
    what: "is no network",
    how: "write addresses or networks with commas between them, such as 10.0.0.0/8,192.0.2.7",
};
const HALF_MAPPED: Wrong = Wrong {
    what: "holds addresses of IPv4 and others",
    how: "write the network of IPv4 as one, such as 10.0.0.0/8; `::ffff:10.0.0.0` has 96 bits before it",
};

fn network(word: &str) -> Result<IpNet, Wrong> {
    let (address, bits) = match word.split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (word, None),
    };
    let address: IpAddr = address.parse().map_err(|_| NONE)?;
    let bits = match bits {
        Some(bits) if bits.bytes().all(|byte| byte.is_ascii_digit()) => {
            bits.parse::<u8>().map_err(|_| NONE)?
        }
        Some(_) => return Err(NONE),
        None if address.is_ipv4() => 32,
        None => 128,
    };
    let network = match (address, address.to_canonical()) {
        (IpAddr::V6(_), IpAddr::V4(_)) if bits < MAPPED => return Err(HALF_MAPPED),
        (IpAddr::V6(_), IpAddr::V4(four)) => Ipv4Net::new(four, bits - MAPPED).map(IpNet::V4),
        (_, IpAddr::V4(four)) => Ipv4Net::new(four, bits).map(IpNet::V4),
        (_, IpAddr::V6(six)) => Ipv6Net::new(six, bits).map(IpNet::V6),
    };
    // Without what stands behind its bits, for programs that take no other.
    network.map(|network| network.trunc()).map_err(|_| NONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<String>, String> {
        let networks = of_variable(&|name| (name == "NETWORKS").then(|| text.to_owned()), "NETWORKS");
        networks
            .map(|networks| networks.iter().map(ToString::to_string).collect())
            .map_err(|fault| fault.to_string())
    }

    #[test]
    fn networks_are_read_however_they_are_written() {
        for (text, want) in [
            ("", &[][..]),
            (" 10.0.0.0/8,192.0.2.7 ,, ::1", &["10.0.0.0/8", "192.0.2.7/32", "::1/128"]),
            ("10.1.2.3/8 fd00:1::2/16", &["10.0.0.0/8", "fd00::/16"]),
            ("0.0.0.0/0,::/0", &["0.0.0.0/0", "::/0"]),
        ] {
            assert_eq!(read(text).unwrap(), want, "{text}");
        }
        for none in [",", " ", " , ,", "\t"] {
            let said = read(none).unwrap_err();
            assert!(said.contains("which names no network") && said.contains("leave it unset"), "{said}");
        }
        for wrong in [
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "::/129",
            "::/999",
            "proxy.local",
            "10.0.0",
        ] {
            let said = read(&format!("192.0.2.7,{wrong}")).unwrap_err();
            assert!(
                said.starts_with(&format!("error: NETWORKS holds `{wrong}`, which is no network\n")),
                "{said}"
            );
        }
    }

    // S16
    #[test]
    fn s16_a_network_of_mapped_addresses_is_one_of_ipv4() {
        for (text, want) in [
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:a00:0/104", "10.0.0.0/8"),
            ("::ffff:10.1.2.3", "10.1.2.3/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
        ] {
            assert_eq!(read(text).unwrap(), [want], "{text}");
        }
        for bits in ["95", "8", "0"] {
            let said = read(&format!("::ffff:10.0.0.0/{bits}")).unwrap_err();
            assert!(
                said.contains(&format!("`::ffff:10.0.0.0/{bits}`, which holds addresses of IPv4 and others")),
                "{said}"
            );
            assert!(said.contains("such as 10.0.0.0/8"), "{said}");
        }
    }
}
