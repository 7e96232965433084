//! Addresses at the edges of ranges, and lists that allow some.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn list(text: &str) -> AllowList {
    AllowList::parse(text).unwrap()
}

#[rstest]
#[case::this_network("0.0.0.0", "0.255.255.255", None, Some("1.0.0.0"))]
#[case::private_10("10.0.0.0", "10.255.255.255", Some("9.255.255.255"), Some("11.0.0.0"))]
#[case::carrier("100.64.0.0", "100.127.255.255", Some("100.63.255.255"), Some("100.128.0.0"))]
#[case::loopback("127.0.0.0", "127.255.255.255", Some("126.255.255.255"), Some("128.0.0.0"))]
#[case::azure("168.63.129.16", "168.63.129.16", Some("168.63.129.15"), Some("168.63.129.17"))]
#[case::link_local("169.254.0.0", "169.254.255.255", Some("169.253.255.255"), Some("169.255.0.0"))]
#[case::private_172("172.16.0.0", "172.31.255.255", Some("172.15.255.255"), Some("172.32.0.0"))]
#[case::ietf("192.0.0.0", "192.0.0.255", Some("191.255.255.255"), Some("192.0.1.0"))]
#[case::test_1("192.0.2.0", "192.0.2.255", Some("192.0.1.255"), Some("192.0.3.0"))]
#[case::relay("192.88.99.0", "192.88.99.255", Some("192.88.98.255"), Some("192.88.100.0"))]
#[case::private_192("192.168.0.0", "192.168.255.255", Some("192.167.255.255"), Some("192.169.0.0"))]
#[case::benchmarks("198.18.0.0", "198.19.255.255", Some("198.17.255.255"), Some("198.20.0.0"))]
#[case::test_2("198.51.100.0", "198.51.100.255", Some("198.51.99.255"), Some("198.51.101.0"))]
#[case::test_3("203.0.113.0", "203.0.113.255", Some("203.0.112.255"), Some("203.0.114.0"))]
#[case::multicast("224.0.0.0", "239.255.255.255", Some("223.255.255.255"), None)]
#[case::reserved("240.0.0.0", "255.255.255.255", None, None)]
#[case::before_nat64("::", "64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", None, None)]
#[case::after_nat64("64:ff9b::1:0:0", "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, None)]
#[case::local_nat64("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", None, None)]
#[case::first_of_8(
    "ff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "100::ffff:ffff:ffff:ffff",
    None,
    Some("100:0:0:1::")
)]
#[case::ietf_v6("2001::", "2001:1::", Some("2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), Some("2001:1::1"))]
#[case::after_anycast(
    "2001:1::4",
    "2001:2:ffff:ffff:ffff:ffff:ffff:ffff",
    Some("2001:1::3"),
    Some("2001:3::")
)]
#[case::after_amt(
    "2001:4::",
    "2001:4:111:ffff:ffff:ffff:ffff:ffff",
    Some("2001:3:ffff:ffff:ffff:ffff:ffff:ffff"),
    Some("2001:4:112::")
)]
#[case::after_as112(
    "2001:4:113::",
    "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff",
    Some("2001:4:112:ffff:ffff:ffff:ffff:ffff"),
    Some("2001:20::")
)]
#[case::after_ids(
    "2001:40::",
    "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
    Some("2001:3f:ffff:ffff:ffff:ffff:ffff:ffff"),
    Some("2001:200::")
)]
#[case::documentation(
    "2001:db8::",
    "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
    Some("2001:db7:ffff:ffff:ffff:ffff:ffff:ffff"),
    Some("2001:db9::")
)]
#[case::six_to_four(
    "2002::",
    "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    Some("2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    Some("2003::")
)]
#[case::documentation_2(
    "3fff::",
    "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
    Some("3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    Some("3fff:1000::")
)]
#[case::segments(
    "5f00::",
    "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    Some("5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    Some("5f01::")
)]
#[case::unique_local(
    "fc00::",
    "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    Some("fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    Some("fe00::")
)]
#[case::link_local_v6(
    "fe80::",
    "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    Some("fe7f:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    None
)]
#[case::site_local("fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, None)]
#[case::multicast_v6("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", None, None)]
fn a_range_is_closed_from_its_first_to_its_last(
    #[case] first: &str,
    #[case] last: &str,
    #[case] before: Option<&str>,
    #[case] after: Option<&str>,
) {
    for closed in [first, last] {
        assert!(!is_public(ip(closed)), "{closed}");
    }
    for public in [before, after].into_iter().flatten() {
        assert!(is_public(ip(public)), "{public}");
    }
}

#[rstest]
#[case::dns("8.8.8.8", true)]
#[case::first("1.0.0.0", true)]
#[case::cloudflare("2606:4700::1111", true)]
#[case::mapped("::ffff:8.8.8.8", true)]
#[case::nat64("64:ff9b::8.8.8.8", true)]
#[case::mapped_loopback("::ffff:127.0.0.1", false)]
#[case::mapped_private("::ffff:10.0.0.1", false)]
#[case::mapped_cloud("::ffff:169.254.169.254", false)]
#[case::nat64_loopback("64:ff9b::127.0.0.1", false)]
#[case::nat64_cloud("64:ff9b::169.254.169.254", false)]
#[case::nat64_multicast("64:ff9b::239.255.255.255", false)]
#[case::compatible("::8.8.8.8", false)]
#[case::translated("::ffff:0:8.8.8.8", false)]
#[case::loopback("::1", false)]
#[case::teredo("2001:0:808:808::1", false)]
#[case::orchid("2001:20::1", true)]
#[case::drone("2001:30::1", true)]
#[case::six_to_four("2002:808:808::1", false)]
fn what_stands_for_an_address_is_as_public_as_that(#[case] text: &str, #[case] public: bool) {
    assert_eq!(is_public(ip(text)), public);
}

/// Ranges as the design lists them, each with the bits of its length.
const RANGES: [(&str, u32); 28] = [
    ("0.0.0.0", 8),
    ("10.0.0.0", 8),
    ("100.64.0.0", 10),
    ("127.0.0.0", 8),
    ("168.63.129.16", 32),
    ("169.254.0.0", 16),
    ("172.16.0.0", 12),
    ("192.0.0.0", 24),
    ("192.0.2.0", 24),
    ("192.88.99.0", 24),
    ("192.168.0.0", 16),
    ("198.18.0.0", 15),
    ("198.51.100.0", 24),
    ("203.0.113.0", 24),
    ("224.0.0.0", 4),
    ("240.0.0.0", 4),
    ("::", 8),
    ("64:ff9b:1::", 48),
    ("100::", 64),
    ("2001::", 23),
    ("2001:db8::", 32),
    ("2002::", 16),
    ("3fff::", 20),
    ("5f00::", 16),
    ("fc00::", 7),
    ("fe80::", 10),
    ("fec0::", 10),
    ("ff00::", 8),
];

proptest! {
    #[test]
    fn no_address_in_a_listed_range_is_public(range in 0..RANGES.len(), bits: u128) {
        let (first, length) = RANGES[range];
        match ip(first) {
            IpAddr::V4(first) => {
                let inside = Ipv4Addr::from_bits(first.to_bits() | (bits as u32).unbounded_shr(length));
                prop_assert!(!is_public(inside.into()));
                for stand_in in [inside.to_ipv6_mapped().to_bits(), (0x0064_ff9b << 96) | u128::from(inside.to_bits())] {
                    prop_assert!(!is_public(Ipv6Addr::from_bits(stand_in).into()));
                }
            }
            IpAddr::V6(first) => {
                let inside = Ipv6Addr::from_bits(first.to_bits() | bits >> length);
                prop_assume!(!is_any(&GLOBAL, inside.into()) && !is_any(&STAND_INS, inside.into()));
                prop_assert!(!is_public(inside.into()));
            }
        }
    }

    #[test]
    fn no_wide_range_lets_delicate_addresses_through(last: u16, length in 0..32u8) {
        let ip = Ipv4Addr::from_bits(0xa9fe_0000 | u32::from(last));
        let first = Ipv4Addr::from_bits(ip.to_bits().unbounded_shr(32 - u32::from(length)).unbounded_shl(32 - u32::from(length)));
        let list = list(&format!("{first}/{length}"));
        prop_assert!(!list.allows("x.example", ip.into(), 80));
    }

    #[test]
    fn whatever_is_written_is_read_or_refused(text: String) {
        let _ = AllowList::parse(&text);
    }
}

#[rstest]
#[case::in_cidr("10.1.0.0/16", "10.1.255.255", 80, true)]
#[case::beside_cidr("10.1.0.0/16", "10.2.0.0", 80, false)]
#[case::mapped_in_cidr("10.1.0.0/16", "::ffff:10.1.2.3", 80, true)]
#[case::address("127.0.0.1", "127.0.0.1", 80, true)]
#[case::beside_address("127.0.0.1", "127.0.0.2", 80, false)]
#[case::port("127.0.0.1:9000", "127.0.0.1", 9000, true)]
#[case::beside_port("127.0.0.1:9000", "127.0.0.1", 9001, false)]
#[case::cidr_with_port("10.0.0.0/8:443", "10.9.9.9", 443, true)]
#[case::cidr_beside_port("10.0.0.0/8:443", "10.9.9.9", 80, false)]
#[case::everything("0.0.0.0/0", "10.0.0.1", 80, true)]
#[case::everything_is_of_one_kind("0.0.0.0/0", "::1", 80, false)]
#[case::v6("::1", "::1", 80, true)]
#[case::v6_in_brackets("[::1]", "::1", 80, true)]
#[case::v6_port("[::1]:9000", "::1", 9000, true)]
#[case::v6_beside_port("[::1]:9000", "::1", 80, false)]
#[case::v6_cidr("fd12::/16", "fd12:1::1", 80, true)]
#[case::v6_beside_cidr("fd12::/16", "fd13::1", 80, false)]
#[case::v6_cidr_port("[fd12::/16]:443", "fd12::1", 443, true)]
#[case::second("10.0.0.1, 10.0.0.2", "10.0.0.2", 80, true)]
#[case::blank_parts(" ,10.0.0.1,", "10.0.0.1", 80, true)]
#[case::nothing("", "10.0.0.1", 80, false)]
#[case::host("Hooks.Internal.", "10.0.0.1", 80, true)]
#[case::host_port("hooks.internal:8080", "10.0.0.1", 8080, true)]
#[case::host_beside_port("hooks.internal:8080", "10.0.0.1", 80, false)]
#[case::other_host("x.hooks.internal", "10.0.0.1", 80, false)]
#[case::host_has_link_local("hooks.internal", "169.254.1.1", 80, false)]
#[case::host_has_metadata("hooks.internal", "169.254.169.254", 80, false)]
#[case::host_has_metadata_v6("hooks.internal", "fd00:ec2::254", 80, false)]
#[case::metadata_in_cidr("169.254.0.0/16", "169.254.169.254", 80, false)]
#[case::metadata_mapped("0.0.0.0/0,::/0", "::ffff:169.254.169.254", 80, false)]
#[case::metadata_nat64("0.0.0.0/0,::/0", "64:ff9b::169.254.169.254", 80, false)]
#[case::link_local_in_31("169.254.169.254/31", "169.254.169.254", 80, false)]
#[case::alibaba_in_cidr("100.64.0.0/10", "100.100.100.200", 80, false)]
#[case::azure_in_cidr("168.63.129.0/24", "168.63.129.16", 80, false)]
#[case::aws_v6_in_cidr("fd00::/8", "fd00:ec2::254", 80, false)]
#[case::google_v6_in_cidr("fd00::/8", "fd20:ce::254", 80, false)]
#[case::oracle_v6_in_cidr("fd00::/8", "fd00:c1::a9fe:a9fe", 80, false)]
#[case::oracle_in_cidr("192.0.0.0/24", "192.0.0.192", 80, false)]
#[case::link_local_v6_in_cidr("fe80::/10", "fe80::1", 80, false)]
#[case::metadata_by_itself("169.254.169.254", "169.254.169.254", 80, true)]
#[case::metadata_as_32("169.254.169.254/32:80", "169.254.169.254", 80, true)]
#[case::azure_by_itself("168.63.129.16", "168.63.129.16", 80, true)]
#[case::link_local_by_itself("fe80::1", "fe80::1", 80, true)]
#[case::aws_v6_as_128("fd00:ec2::254/128", "fd00:ec2::254", 80, true)]
fn a_list_allows_what_it_names(
    #[case] text: &str,
    #[case] address: &str,
    #[case] port: u16,
    #[case] allowed: bool,
) {
    assert_eq!(list(text).allows("hooks.INTERNAL", ip(address), port), allowed);
    assert_eq!(list(text).allows("hooks.internal.", ip(address), port), allowed);
}

#[rstest]
#[case::host("hooks.internal:80", true, true)]
#[case::host_without_port("hooks.internal", true, false)]
#[case::host_beside_port("hooks.internal:81", false, false)]
#[case::address("10.0.0.1:80", false, true)]
#[case::address_without_port("10.0.0.1", false, false)]
#[case::as_32("10.0.0.1/32:80", false, true)]
#[case::cidr("10.0.0.0/31:80", false, false)]
fn a_list_names_hosts_and_very_places(#[case] text: &str, #[case] host: bool, #[case] place: bool) {
    assert_eq!(list(text).has_host("hooks.internal", 80), host);
    assert_eq!(list(text).names("hooks.internal", ip("10.0.0.1"), 80), place);
}

#[rstest]
#[case::bits("10.1.2.3/16", "has more bits than the 16 of its length")]
#[case::bits_v6("fd00::1/64", "has more bits than the 64 of its length")]
#[case::bits_of_none("0.0.0.1/0", "has more bits than the 0 of its length")]
#[case::length("10.0.0.0/33", "`33` is no length from 0 to 32")]
#[case::length_v6("fd00::/129", "`129` is no length from 0 to 128")]
#[case::no_length("10.0.0.0/", "`` is no length from 0 to 32")]
#[case::short("10.1", "`10.1` is no address")]
#[case::octal("010.0.0.1", "`010.0.0.1` is no address")]
#[case::hex("0x7f000001", "`0x7f000001` is no address")]
#[case::decimal("2130706433", "`2130706433` is no address")]
#[case::too_much("10.0.0.256", "`10.0.0.256` is no address")]
#[case::host_cidr("example.com/8", "`example.com` is no address")]
#[case::v6("fd00:::1", "`fd00:::1` is no address")]
#[case::zone("fe80::1%eth0", "`fe80::1%eth0` is no address")]
#[case::port("10.0.0.1:0", "`0` is no port")]
#[case::big_port("host:65536", "`65536` is no port")]
#[case::word_port("host:http", "`http` is no port")]
#[case::url("http://host", "`//host` is no port")]
#[case::open("[::1", "a `]` is missing")]
#[case::behind("[::1]9000", "only `:` and a port may follow `]`")]
#[case::brackets("[10.0.0.1]:80", "brackets are for IPv6 addresses")]
#[case::star("*.example.com", "is no host, address or CIDR")]
#[case::dots("a..b", "is no host, address or CIDR")]
#[case::dot(".", "is no host, address or CIDR")]
#[case::only_port(":80", "is no host, address or CIDR")]
#[case::unicode("bücher.example", "is no host, address or CIDR")]
#[case::mapped("::ffff:10.0.0.1", "is to be written as IPv4, 10.0.0.1")]
#[case::nat64("64:ff9b::/96", "is to be written as IPv4, 0.0.0.0")]
fn a_wrong_part_is_named(#[case] part: &str, #[case] reason: &str) {
    let error = AllowList::parse(&format!("10.0.0.0/8,{part},127.0.0.1")).unwrap_err();
    assert_eq!(error, InvalidAllowList { part: part.to_owned(), reason: reason.to_owned() });
}
