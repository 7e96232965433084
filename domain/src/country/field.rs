//! The 35 members of a v3.1 record, by name, and sets of them.

use super::CountryRecord;

macro_rules! fields {
    ($( $variant:ident $name:literal => $($member:ident),+ ; )+) => {
        /// A member of a country, under its v3.1 name, in v3.1 order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs, reason = "the v3.1 name says it")]
        pub enum CountryField { $( $variant ),+ }

        impl CountryField {
            /// All of them, in v3.1 order.
            pub const ALL: [Self; 35] = [ $( Self::$variant ),+ ];

            /// The v3.1 name, e.g. `altSpellings`.
            pub fn name(self) -> &'static str {
                match self { $( Self::$variant => $name ),+ }
            }

            fn copy(self, from: &CountryRecord, to: &mut CountryRecord) {
                match self { $( Self::$variant => { $( to.$member.clone_from(&from.$member); )+ } )+ }
            }

            fn is_blank(self, record: &CountryRecord, blank: &CountryRecord) -> bool {
                match self { $( Self::$variant => $( record.$member == blank.$member )&&+ ),+ }
            }
        }
    };
}

fields! {
    Name "name" => name;
    Tld "tld" => tld;
    Cca2 "cca2" => cca2;
    Ccn3 "ccn3" => ccn3;
    Cca3 "cca3" => cca3;
    Cioc "cioc" => cioc;
    Independent "independent" => independent;
    Status "status" => status;
    UnMember "unMember" => un_member;
    Currencies "currencies" => currencies;
    Idd "idd" => idd;
    Capital "capital" => capital;
    AltSpellings "altSpellings" => alt_spellings;
    Region "region" => region;
    Subregion "subregion" => subregion;
    Languages "languages" => languages;
    Translations "translations" => translations;
    Latlng "latlng" => latlng;
    Landlocked "landlocked" => landlocked;
    Borders "borders" => borders;
    Area "area" => area;
    Demonyms "demonyms" => demonyms;
    Flag "flag" => flag;
    Maps "maps" => maps;
    Population "population" => population;
    Gini "gini" => gini;
    Fifa "fifa" => fifa;
    Car "car" => car;
    Timezones "timezones" => timezones;
    Continents "continents" => continents;
    Flags "flags" => flags;
    CoatOfArms "coatOfArms" => coat_of_arms;
    StartOfWeek "startOfWeek" => start_of_week;
    CapitalInfo "capitalInfo" => capital_latlng;
    PostalCode "postalCode" => postal_code;
}

impl CountryField {
    /// The field of that v3.1 name, exactly spelt.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// Whether the record says nothing under this field: no text, an empty list, zero people.
    pub fn is_empty(self, record: &CountryRecord) -> bool {
        self.is_blank(record, &CountryRecord::default())
    }
}

/// A set of fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldSet(u64);

impl FieldSet {
    /// All 35.
    pub const ALL: Self = Self((1 << 35) - 1);

    /// Whether the field is in the set.
    pub fn contains(self, field: CountryField) -> bool {
        self.0 & (1 << field as u64) != 0
    }

    /// The fields of the set, in v3.1 order.
    pub fn iter(self) -> impl Iterator<Item = CountryField> {
        CountryField::ALL.into_iter().filter(move |field| self.contains(*field))
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<CountryField> for FieldSet {
    fn from_iter<I: IntoIterator<Item = CountryField>>(fields: I) -> Self {
        Self(fields.into_iter().fold(0, |set, field| set | 1 << field as u64))
    }
}

impl CountryRecord {
    /// Takes over from `held` every field that is not in `covered`: a source that was not asked for
    /// a field says nothing of it.
    pub fn keep_uncovered(&mut self, held: &Self, covered: FieldSet) {
        for field in CountryField::ALL.into_iter().filter(|field| !covered.contains(*field)) {
            field.copy(held, self);
        }
    }
}
