//! Where no task goes, however it is written; a canary at 127.0.0.1 would see those who do.

use CallFault::{Blocked, Invalid};
use rstest::rstest;

use super::*;

/// Spellings of this machine, most of them of 127.0.0.1.
const LOOPBACK: &[&str] = &[
    "http://127.0.0.1:PORT/",
    "http://127.0.0.1.:PORT/",
    "http://127.1:PORT/",
    "http://127.0.1:PORT/",
    "http://127.00.0.1:PORT/",
    "http://127.000.000.001:PORT/",
    "http://2130706433:PORT/",
    "http://2130706433.:PORT/",
    "http://017700000001:PORT/",
    "http://0177.0.0.1:PORT/",
    "http://0177.0.0.01:PORT/",
    "http://0177.1:PORT/",
    "http://0177.0x0.0.1:PORT/",
    "http://0x7f000001:PORT/",
    "http://0x7F000001:PORT/",
    "http://0X7f000001:PORT/",
    "http://0x7f.0.0.1:PORT/",
    "http://0x7f.1:PORT/",
    "http://0x7f.0x0.0x0.0x1:PORT/",
    "http://127.0x000001:PORT/",
    "http://127.0.0.0x1:PORT/",
    "http://127.0.0.2:PORT/",
    "http://127.127.127.127:PORT/",
    "http://127.255.255.255:PORT/",
    "http://0.0.0.0:PORT/",
    "http://0:PORT/",
    "http://00:PORT/",
    "http://0x0:PORT/",
    "http://0x:PORT/",
    "http://0.0:PORT/",
    "http://0.1.2.3:PORT/",
    "http://127%2e0%2e0%2e1:PORT/",
    "http://%31%32%37.0.0.1:PORT/",
    "http://%30%78%37%66.1:PORT/",
    "http://１２７.０.０.１:PORT/",
    "http://①②⑦.⓪.⓪.①:PORT/",
    "http://𝟏𝟐𝟕.𝟎.𝟎.𝟏:PORT/",
    "http://127。0。0。1:PORT/",
    "http://127．0．0．1:PORT/",
    "http://127｡0｡0｡1:PORT/",
    "http://127\u{ad}.0.0.1:PORT/",
    "http://127.0.0\u{200b}.1:PORT/",
    "http://12\t7.0.0.1:PORT/",
    "http://127.\n0.0.1:PORT/",
    "ht\ntp://127.0.0.1:PORT/",
    "  http://127.0.0.1:PORT/  ",
    "http:127.0.0.1:PORT/",
    "http:/127.0.0.1:PORT/",
    "http:///127.0.0.1:PORT/",
    "http:\\\\127.0.0.1:PORT\\",
    "HTTP://127.0.0.1:PORT/",
    "http://@127.0.0.1:PORT/",
    "http://:@127.0.0.1:PORT/",
    "http://127.0.0.1:PORT\\@example.com/",
    "http://127.0.0.1:PORT#@example.com/",
    "http://127.0.0.1:PORT?@example.com/",
    "http://127.0.0.1:0PORT/",
    "https://127.0.0.1:PORT/",
    "https://2130706433:PORT/",
    "http://[::1]:PORT/",
    "http://[0:0:0:0:0:0:0:1]:PORT/",
    "http://[0000::0001]:PORT/",
    "http://[::]:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",
    "http://[::FFFF:127.0.0.1]:PORT/",
    "http://[::ffff:7f00:1]:PORT/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:PORT/",
    "http://[::ffff:0.0.0.0]:PORT/",
    "http://[::127.0.0.1]:PORT/",
    "http://[::ffff:0:127.0.0.1]:PORT/",
    "http://[64:ff9b::127.0.0.1]:PORT/",
    "http://[64:ff9b::7f00:1]:PORT/",
    "http://[64:ff9b:1::7f00:1]:PORT/",
    "http://[2002:7f00:1::1]:PORT/",
    "http://[2001:0:7f00:1::1]:PORT/",
    "https://[::1]:PORT/",
];

/// Inside networks and nowhere.
const ADDRESSES: &[&str] = &[
    "http://10.0.0.1/",
    "http://10.255.255.255:8080/",
    "http://0xa.1/",
    "http://012.0.0.1/",
    "http://167772161/",
    "http://100.64.0.1/",
    "http://100.100.100.200/latest/meta-data",
    "http://168.63.129.16/",
    "http://169.254.169.254/latest/meta-data",
    "http://169.254.43518/",
    "http://2852039166/",
    "http://0xa9fea9fe/",
    "http://0251.0376.0251.0376/",
    "http://169.254.170.2/v2/credentials",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.0.0.192/opc",
    "http://192.0.2.1/",
    "http://192.88.99.1/",
    "http://192.168.0.1/",
    "http://192.168.1/",
    "http://3232235777/",
    "http://198.18.0.1/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://239.255.255.250:1900/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[::ffff:10.0.0.1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::a9fe:a9fe]/",
    "http://[64:ff9b::192.168.0.1]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[100::1]/",
    "http://[2001:db8::1]/",
    "http://[3fff::1]/",
    "http://[5f00::1]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/latest/meta-data",
    "http://[fd20:ce::254]/",
    "http://[fe80::1]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
];

/// Names that nobody is asked about.
const NAMES: &[&str] = &[
    "http://localhost:PORT/",
    "http://LOCALHOST:PORT/",
    "http://localhost.:PORT/",
    "http://localhost..:PORT/",
    "http://loc%61lhost:PORT/",
    "http://ｌｏｃａｌｈｏｓｔ:PORT/",
    "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:PORT/",
    "http://local\u{ad}host:PORT/",
    "http://lo\tcalhost:PORT/",
    "http://app.localhost:PORT/",
    "http://a.b.LocalHost.:PORT/",
    "http://app。localhost:PORT/",
    "http://metadata/",
    "http://metadata./",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://METADATA.GOOGLE.INTERNAL./",
    "http://host.docker.internal:PORT/",
    "http://instance-data.ec2.internal/",
    "http://printer.local/",
    "http://printer.local../",
    "http://kubernetes.default.svc.cluster.local/",
    "http://kubernetes/",
    "http://intranet/",
    "http://redis:6379/",
    "http://internal/",
    "http://local/",
    "http://./",
    "https://localhost:PORT/",
];

/// What is no URL of a target.
const NO_TARGETS: &[&str] = &[
    "",
    "/",
    "//127.0.0.1:PORT/",
    "127.0.0.1:PORT",
    "localhost:PORT",
    "http://",
    "http://:PORT/",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:-1/",
    "http://127.0.0.1:8o/",
    "http://256.0.0.1:PORT/",
    "http://1.2.3.4.5:PORT/",
    "http://127.0.0.1.1:PORT/",
    "http://0x100000000:PORT/",
    "http://08.0.0.1:PORT/",
    "http://0x7g.1:PORT/",
    "http://127 .0.0.1:PORT/",
    "http://127.0.0.1%00:PORT/",
    "http://127.0.0.1%2f:PORT/",
    "http://[::1:PORT/",
    "http://[::1%25lo]:PORT/",
    "http://[fe80::1%eth0]:PORT/",
    "http://[127.0.0.1]:PORT/",
    "http://user@127.0.0.1:PORT/",
    "http://user:word@127.0.0.1:PORT/",
    "http://:word@127.0.0.1:PORT/",
    "http://example.com@127.0.0.1:PORT/",
    "http://example.com:80@127.0.0.1:PORT/",
    "http://127.0.0.1@example.com/",
    "http://127.0.0.1:PORT%40example.com@127.0.0.1:PORT/",
    "http://a@b@127.0.0.1:PORT/",
    "https://user@example.com/",
    "ftp://127.0.0.1:PORT/",
    "file:///etc/passwd",
    "file://127.0.0.1/etc/passwd",
    "gopher://127.0.0.1:PORT/_GET",
    "dict://127.0.0.1:PORT/info",
    "ldap://127.0.0.1:PORT/",
    "tftp://127.0.0.1:PORT/",
    "ws://127.0.0.1:PORT/",
    "wss://127.0.0.1:PORT/",
    "unix:/var/run/docker.sock",
    "jar:http://127.0.0.1:PORT/!/",
    "view-source:http://127.0.0.1:PORT/",
    "data:text/plain,hello",
    "javascript:alert(1)",
    "httpx://127.0.0.1:PORT/",
];

#[tokio::test]
async fn no_spelling_leads_where_no_task_goes() {
    let canary = Peer::fine().await;
    let names = Names::new(&[&["127.0.0.1"]]);
    let targets = Targets::with_lookup(TargetOptions::default(), names.clone()).unwrap();
    let tables = [(LOOPBACK, Blocked), (ADDRESSES, Blocked), (NAMES, Blocked), (NO_TARGETS, Invalid)];
    let mut wrong = vec![];
    for (url, fault) in tables.iter().flat_map(|(urls, fault)| urls.iter().map(move |url| (url, *fault))) {
        let url = url.replace("PORT", &canary.port().to_string());
        let judged = targets.judge(&url).await.map_err(|error| error.fault);
        let called = targets.call(&call(&*url)).await.map(drop).map_err(|error| error.fault);
        if (judged, called) != (Err(fault), Err(fault)) {
            wrong.push((url, judged, called));
        }
    }
    assert_eq!(wrong, []);
    assert_eq!((canary.connections(), names.asked()), (0, 0));
    assert!(tables.iter().map(|(urls, _)| urls.len()).sum::<usize>() >= 150);
}

#[tokio::test]
async fn the_canary_sees_whoever_comes() {
    let canary = Peer::fine().await;
    for spelling in ["127.0.0.1", "2130706433", "0x7f.1", "①②⑦.⓪.⓪.①", "[::ffff:127.0.0.1]"] {
        let url = format!("http://{spelling}:{}/", canary.port());
        assert_eq!(body_of(&only(&canary), url).await.unwrap(), "fine", "{spelling}");
    }
    assert_eq!(canary.connections(), 5);
}

#[rstest]
#[case::loopback(&["127.0.0.1"])]
#[case::another_loopback(&["127.0.0.2"])]
#[case::unspecified(&["0.0.0.0"])]
#[case::private(&["10.0.0.1"])]
#[case::carrier(&["100.64.0.1"])]
#[case::link_local(&["169.254.169.254"])]
#[case::azure(&["168.63.129.16"])]
#[case::private_172(&["172.20.0.1"])]
#[case::private_192(&["192.168.1.1"])]
#[case::broadcast(&["255.255.255.255"])]
#[case::loopback_v6(&["::1"])]
#[case::unspecified_v6(&["::"])]
#[case::mapped(&["::ffff:127.0.0.1"])]
#[case::mapped_private(&["::ffff:10.0.0.1"])]
#[case::nat64(&["64:ff9b::7f00:1"])]
#[case::six_to_four(&["2002:7f00:1::1"])]
#[case::unique_local(&["fd00:ec2::254"])]
#[case::link_local_v6(&["fe80::1"])]
#[case::multicast(&["ff02::1"])]
#[case::mixed_first(&["127.0.0.1", "8.8.8.8"])]
#[case::mixed_last(&["8.8.8.8", "127.0.0.1"])]
#[case::mixed_in_many(&["8.8.8.8", "1.1.1.1", "2606:4700::1111", "10.0.0.1", "9.9.9.9"])]
#[case::mixed_kinds(&["2606:4700::1111", "::1"])]
#[case::mixed_mapped(&["8.8.8.8", "::ffff:127.0.0.1"])]
#[tokio::test]
async fn no_name_leads_where_no_task_goes(
    #[case] answer: &'static [&'static str],
    #[values("example.com", "127.0.0.1.nip.io", "EXAMPLE.com.", "xn--bcher-kva.example")] name: &str,
) {
    let canary = Peer::fine().await;
    let targets = Targets::with_lookup(TargetOptions::default(), Names::new(&[answer])).unwrap();
    let url = format!("http://{name}:{}/", canary.port());
    let error = targets.call(&call(&*url)).await.unwrap_err();
    assert_eq!(targets.judge(&url).await, Err(error.clone()));
    assert_eq!((error.fault, &*error.reason), (Blocked, "tasks may not call this target"));
    assert_eq!(canary.connections(), 0);
}

#[tokio::test]
async fn a_name_that_was_judged_is_judged_again_when_it_is_called() {
    let canary = Peer::fine().await;
    let names = Names::new(&[&["8.8.8.8"], &["127.0.0.1"]]);
    let targets = Targets::with_lookup(TargetOptions::default(), names.clone()).unwrap();
    let url = format!("http://rebinding.example:{}/", canary.port());
    assert_eq!(targets.judge(&url).await, Ok(()));
    assert_eq!(fault_of(targets.call(&call(url)).await), Blocked);
    assert_eq!((canary.connections(), names.asked()), (0, 2));
}

#[tokio::test]
async fn what_was_judged_is_what_is_dialled() {
    let target = Peer::fine().await;
    let canary = Peer::at(&format!("127.0.0.2:{}", target.port()), vec![answer("200 OK", "", "")]).await;
    let names = Names::new(&[&["127.0.0.1"], &["127.0.0.2"], &["127.0.0.1"], &["127.0.0.1", "127.0.0.2"]]);
    let options = allowing(&target.address.to_string());
    let targets = Targets::with_lookup(options, names.clone()).unwrap();
    let url = format!("http://rebinding.example:{}/", target.port());
    assert_eq!(targets.call(&call(&*url)).await.unwrap().status, 200);
    // The connection to the target is still open at its side; it is not taken for this call.
    assert_eq!(fault_of(targets.call(&call(&*url)).await), Blocked);
    assert_eq!(targets.call(&call(&*url)).await.unwrap().status, 200);
    assert_eq!(fault_of(targets.call(&call(&*url)).await), Blocked);
    assert_eq!((target.connections(), canary.connections(), names.asked()), (2, 0, 4));
}

#[rstest]
#[case::name("hooks.internal", "hooks.internal", &["10.0.0.1"], true)]
#[case::dotless("redis", "redis", &["10.0.0.1"], true)]
#[case::localhost("localhost", "localhost", &["127.0.0.1", "::1"], true)]
#[case::with_a_dot("localhost", "LOCALHOST.", &["127.0.0.1"], true)]
#[case::beside_port("redis:1", "redis", &["10.0.0.1"], false)]
#[case::below_name("hooks.internal", "x.hooks.internal", &["10.0.0.1"], false)]
#[case::name_has_metadata("hooks.internal", "hooks.internal", &["169.254.169.254"], false)]
#[case::name_has_metadata_too("hooks.internal", "hooks.internal", &["10.0.0.1", "169.254.169.254"], false)]
#[case::cidr_names_no_name("10.0.0.0/8", "hooks.internal", &["10.0.0.1"], false)]
#[case::cidr("10.0.0.0/8", "example.com", &["10.0.0.1"], true)]
#[case::cidr_and_more("10.0.0.0/8", "example.com", &["10.0.0.1", "172.16.0.1"], false)]
#[case::public_inner("8.8.8.8", "hooks.internal", &["8.8.8.8"], false)]
#[case::metadata_by_cidr("0.0.0.0/0", "169.254.169.254", &[], false)]
#[case::metadata_by_itself("169.254.169.254", "169.254.169.254", &[], true)]
#[case::metadata_mapped("0.0.0.0/0,::/0", "[::ffff:169.254.169.254]", &[], false)]
#[case::public("", "8.8.8.8", &[], true)]
#[case::public_name("", "example.com", &["8.8.8.8", "2606:4700::1111"], true)]
#[tokio::test]
async fn a_deployment_allows_what_it_names(
    #[case] list: &str,
    #[case] host: &str,
    #[case] answer: &'static [&'static str],
    #[case] allowed: bool,
) {
    let targets = Targets::with_lookup(allowing(list), Names::new(&[answer])).unwrap();
    assert_eq!(targets.judge(&format!("http://{host}/")).await.is_ok(), allowed);
}

#[rstest]
#[case::its_address("127.0.0.1", "127.0.0.0/8", "127.0.0.1", false)]
#[case::mapped("127.0.0.1", "127.0.0.0/8", "[::ffff:127.0.0.1]", false)]
#[case::unspecified("127.0.0.1", "0.0.0.0/0", "0.0.0.0", false)]
#[case::another("127.0.0.1", "127.0.0.0/8", "127.0.0.2", true)]
#[case::everywhere("0.0.0.0", "127.0.0.0/8", "127.0.0.1", false)]
#[case::everywhere_else("0.0.0.0", "127.0.0.0/8", "127.9.9.9", false)]
#[case::everywhere_v6("[::]", "127.0.0.0/8", "127.0.0.1", false)]
#[case::everywhere_loopback_v6("[::]", "::/0", "[::1]", false)]
#[case::everywhere_but_here("0.0.0.0", "10.0.0.0/8", "10.254.253.252", true)]
#[case::its_name("127.0.0.1", "localhost", "localhost", false)]
#[case::a_name("127.0.0.1", "127.0.0.0/8", "example.com", false)]
#[case::named_without_port("127.0.0.1", "127.0.0.1", "127.0.0.1", false)]
#[case::cidr_with_port("127.0.0.1", "127.0.0.0/8:PORT", "127.0.0.1", false)]
#[case::named("127.0.0.1", "127.0.0.1:PORT", "127.0.0.1", true)]
#[case::named_everywhere("0.0.0.0", "127.0.0.1:PORT", "127.0.0.1", true)]
#[case::named_by_name("127.0.0.1", "localhost:PORT", "localhost", true)]
#[case::named_elsewise("127.0.0.1", "localhost:PORT", "127.0.0.1", false)]
#[tokio::test]
async fn we_do_not_call_ourselves_unless_told(
    #[case] own: &str,
    #[case] list: &str,
    #[case] host: &str,
    #[case] allowed: bool,
) {
    let own = vec![format!("{own}:4711").parse().unwrap()];
    let options = TargetOptions { own, ..allowing(&list.replace("PORT", "4711")) };
    let targets = Targets::with_lookup(options, Names::new(&[&["127.0.0.1"]])).unwrap();
    assert_eq!(targets.judge(&format!("http://{host}:4711/")).await.is_ok(), allowed);
}

#[tokio::test]
async fn an_own_listener_sees_no_connection() {
    let canary = Peer::fine().await;
    let options = |list: &str| TargetOptions { own: vec![canary.address], ..allowing(list) };
    let targets = Targets::new(options("127.0.0.0/8,localhost")).unwrap();
    for host in ["127.0.0.1", "localhost"] {
        let url = format!("http://{host}:{}/", canary.port());
        assert_eq!(fault_of(targets.call(&call(url)).await), Blocked);
    }
    assert_eq!(canary.connections(), 0);
    let targets = Targets::new(options(&format!("localhost:{}", canary.port()))).unwrap();
    let url = format!("http://localhost:{}/", canary.port());
    assert_eq!(body_of(&targets, url).await.unwrap(), "fine");
}
