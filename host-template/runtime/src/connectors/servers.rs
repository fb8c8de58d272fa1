//! The name servers that this machine asks: a test of a connection may reach them wherever they are, for names alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where the system's own resolver finds them.
const FILE: &str = "/etc/resolv.conf";

/// The name servers that the machine asks.
pub(super) fn name_servers() -> Vec<IpAddr> {
    // Without the file the system's own resolver asks this machine too.
    servers_of(&std::fs::read_to_string(FILE).unwrap_or_default())
}

fn servers_of(text: &str) -> Vec<IpAddr> {
    let named = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let words = named
        .filter(|rest| rest.starts_with(char::is_whitespace))
        .filter_map(|rest| rest.split_whitespace().next());
    // What is no address is passed over, as the C library's resolver does.
    let found: Vec<IpAddr> = words.filter_map(|word| word.split('%').next()?.parse().ok()).collect();
    match found.is_empty() {
        true => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        false => found,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s16_name_servers_are_read_as_the_resolver_reads_them() {
        let names = servers_of(
            "# ours\nnameserver 10.0.0.53\nnameserver fe80::1%eth0\nnameserverless 1.1.1.1\nsearch x\n",
        );
        assert_eq!(names, ["10.0.0.53".parse::<IpAddr>().unwrap(), "fe80::1".parse().unwrap()]);
        let own: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        assert_eq!(servers_of(""), own);
    }
}
