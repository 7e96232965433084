//! Lists of networks, and what is no such list.

use super::*;

fn contains(list: &str, address: &str) -> bool {
    Networks::parse(list).unwrap().contains(address.parse().unwrap())
}

#[test]
fn addresses_and_networks_contain_what_they_name() {
    let list = " 10.1.0.0/16, 127.0.0.1,fd12::/64,2001:db8::1 ,";
    for inside in ["10.1.255.1", "127.0.0.1", "fd12::9", "2001:db8::1", "::ffff:10.1.0.1"] {
        assert!(contains(list, inside), "{inside}");
    }
    for outside in ["10.2.0.1", "127.0.0.2", "fd12:0:0:1::9", "2001:db8::2", "::ffff:10.2.0.1", "::1"] {
        assert!(!contains(list, outside), "{outside}");
    }
    assert!(Networks::parse("").unwrap().is_empty() && !contains("", "127.0.0.1"));
    assert!(contains("0.0.0.0/0", "9.9.9.9") && !contains("0.0.0.0/0", "::1"));
}

#[test]
fn what_is_no_network_is_refused_by_name() {
    for bad in ["proxy.internal", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0:80", "::ffff:10.0.0.1", "10.0.0.0/"]
    {
        let refused = Networks::parse(&format!("127.0.0.1,{bad}")).unwrap_err();
        assert_eq!(refused.part, bad);
    }
}
