//! What dogs can be called, and where their pictures can be.

use rstest::rstest;

use super::*;

#[rstest]
#[case("Lazy", "Lazy")]
#[case("  Lazy Bones\t", "Lazy Bones")]
#[case("Ñandú", "Ñandú")]
#[case("ポチ", "ポチ")]
#[case("🐶", "🐶")]
#[case("100% dog?#&", "100% dog?#&")]
#[case("...", "...")]
#[case("not is_adopted", "not is_adopted")]
fn a_name_is_trimmed(#[case] text: &str, #[case] name: &str) {
    assert_eq!(DogName::new(text).unwrap().as_str(), name);
}

#[rstest]
#[case::nothing("")]
#[case::blank(" \u{a0}\u{3000}")]
#[case::control("a\u{7}b")]
#[case::line("a\nb")]
#[case::nul("\0")]
#[case::slash("a/b")]
#[case::accents_alone("\u{301}\u{308}")]
#[case::the_list("is_adopted")]
#[case::the_list_in_capitals(" IS_Adopted ")]
#[case::the_list_with_accents("ís_ádopted")]
#[case::this_folder(".")]
#[case::the_folder_above("..")]
fn some_names_are_none(#[case] text: &str) {
    assert_eq!(DogName::new(text), None);
}

#[test]
fn a_name_has_64_characters_at_most_of_any_size() {
    for letter in ["a", "ñ", "犬", "🐶"] {
        assert!(DogName::new(&letter.repeat(64)).is_some(), "{letter}");
        assert!(DogName::new(&format!(" {} ", letter.repeat(64))).is_some(), "{letter}");
        assert!(DogName::new(&letter.repeat(65)).is_none(), "{letter}");
    }
}

#[test]
fn names_compare_without_case() {
    let key = |text| DogName::new(text).unwrap().key();
    for (one, other) in
        [("Lazy", "lAZY"), ("Ñandú", "N\u{303}ANDU\u{301}"), ("Große", "GROSSE"), ("ДРУГ", "друг")]
    {
        assert_eq!(key(one), key(other));
    }
    for (one, other) in [("Lazy", "Lazy 2"), ("José", "Jose")] {
        assert_ne!(key(one), key(other));
    }
}

#[rstest]
#[case("https://images.dog.ceo/breeds/hound/n1.jpg", true)]
#[case("https://images.dog.ceo", true)]
#[case("https://[::1]:8443/dog.jpg?size=1#top", true)]
#[case("http://images.dog.ceo/dog.jpg", false)]
#[case("HTTPS://images.dog.ceo/dog.jpg", false)]
#[case("https://", false)]
#[case("https:///dog.jpg", false)]
#[case("https://:443/dog.jpg", false)]
#[case("https://ana:s3cret@images.dog.ceo/dog.jpg", false)]
#[case("https://images.dog.ceo/a dog.jpg", false)]
#[case("https://images.dog.ceo/perro-ñ.jpg", false)]
#[case("javascript:alert(1)", false)]
#[case("", false)]
fn a_picture_is_at_an_https_url(#[case] text: &str, #[case] is_one: bool) {
    assert_eq!(PictureUrl::new(text).map(|url| url.as_str() == text), is_one.then_some(true));
}

#[test]
fn the_url_of_a_picture_is_not_endless() {
    let url = |length: usize| format!("https://images.dog.ceo/{}", "a".repeat(length - 23));
    assert!(PictureUrl::new(url(PictureUrl::LONGEST)).is_some());
    assert!(PictureUrl::new(url(PictureUrl::LONGEST + 1)).is_none());
}
