//! What one does at a sight, by what the sight is.

/// What one does at a sight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ActivityKind {
    /// Go down a piste.
    Ski,
    /// Look into a crater.
    SeeVolcano,
    /// Stand before falling water.
    SeeWaterfall,
    /// Go under the earth.
    ExploreCave,
    /// Sit in warm water, or look at it leap.
    VisitHotSpring,
    /// Look at a reef from near.
    Dive,
    /// Swim in the sea or a lake.
    Swim,
    /// See animals.
    SeeAnimals,
    /// Smell flowers.
    VisitGarden,
    /// Ride and be amused.
    VisitThemePark,
    /// Walk among what is left.
    ExploreRuins,
    /// Visit a place that was once defended.
    VisitCastle,
    /// Visit where rulers lived.
    VisitPalace,
    /// Visit a mosque.
    VisitMosque,
    /// Visit a synagogue.
    VisitSynagogue,
    /// Visit a temple or a shrine.
    VisitTemple,
    /// Visit a church or a monastery.
    VisitChurch,
    /// See works of art.
    SeeArt,
    /// Visit a museum.
    VisitMuseum,
    /// See a play or hear an opera.
    SeeShow,
    /// See something from a lighthouse's foot or its top.
    SeeLighthouse,
    /// Go up and look round.
    ClimbTower,
    /// Cross a bridge.
    CrossBridge,
    /// See what was put up in memory.
    SeeMonument,
    /// Walk where it is wild.
    Hike,
    /// Go up a mountain.
    ClimbMountain,
    /// Go over to an island.
    VisitIsland,
    /// Buy and taste.
    VisitMarket,
    /// Walk without haste.
    Stroll,
    /// Look at what others come to look at.
    Sightsee,
}

use ActivityKind::*;

/// Classes of sights, by their numbers in Wikidata, and what one does there. A sight has several
/// classes: the first row that has one of them counts, so what says more stands above what says less.
const TABLE: &[(ActivityKind, &str, &[u32])] = &[
    // ski resort
    (Ski, "ski", &[130_003]),
    // volcano, stratovolcano
    (SeeVolcano, "see_volcano", &[8_072, 169_358]),
    // waterfall
    (SeeWaterfall, "see_waterfall", &[34_038]),
    // cave
    (ExploreCave, "explore_cave", &[35_509]),
    // hot spring, geyser
    (VisitHotSpring, "visit_hot_spring", &[177_380, 83_471]),
    // coral reef
    (Dive, "dive", &[11_292]),
    // beach, lake, crater lake, lagoon
    (Swim, "swim", &[40_080, 23_397, 204_324, 187_223]),
    // zoo, public aquarium
    (SeeAnimals, "see_animals", &[43_501, 2_281_788]),
    // botanical garden, garden
    (VisitGarden, "visit_garden", &[167_346, 1_107_656]),
    // theme park, amusement park
    (VisitThemePark, "visit_theme_park", &[2_416_723, 194_195]),
    // archaeological site, ruins, ancient city, pyramid, amphitheatre
    (ExploreRuins, "explore_ruins", &[839_954, 109_607, 15_661_340, 12_516, 54_831]),
    // castle, château, fortress, fortification, fort
    (VisitCastle, "visit_castle", &[23_413, 751_876, 57_831, 57_821, 1_785_071]),
    // palace
    (VisitPalace, "visit_palace", &[16_560]),
    // mosque
    (VisitMosque, "visit_mosque", &[32_815]),
    // synagogue
    (VisitSynagogue, "visit_synagogue", &[34_627]),
    // temple, Buddhist temple, Hindu temple, Shinto shrine, pagoda
    (VisitTemple, "visit_temple", &[44_539, 5_393_308, 842_402, 845_945, 199_451]),
    // cathedral, Catholic cathedral, basilica, minor basilica, church building, chapel, monastery, abbey
    (VisitChurch, "visit_church", &[2_977, 56_242_215, 163_687, 120_560, 16_970, 108_325, 44_613, 160_742]),
    // art museum, art gallery
    (SeeArt, "see_art", &[207_694, 1_007_870]),
    // museum, national, archaeological, natural history, science and history museum
    (VisitMuseum, "visit_museum", &[33_506, 17_431_399, 3_329_412, 1_970_365, 588_140, 16_735_822]),
    // opera house, theatre
    (SeeShow, "see_show", &[153_562, 24_354]),
    // lighthouse
    (SeeLighthouse, "see_lighthouse", &[39_715]),
    // tower, observation tower, clock tower, skyscraper
    (ClimbTower, "climb_tower", &[12_518, 1_440_300, 853_854, 11_303]),
    // bridge
    (CrossBridge, "cross_bridge", &[12_280]),
    // monument, memorial, war memorial, statue, triumphal arch, obelisk, mausoleum, tomb, fountain
    (
        SeeMonument,
        "see_monument",
        &[4_989_906, 5_003_624, 575_759, 179_700, 143_912, 170_980, 162_875, 381_885, 483_453],
    ),
    // national park, nature reserve, canyon, valley, glacier, desert, mountain range
    (Hike, "hike", &[46_169, 179_049, 150_784, 39_816, 35_666, 8_514, 46_831]),
    // mountain, hill
    (ClimbMountain, "climb_mountain", &[8_502, 54_050]),
    // island, archipelago
    (VisitIsland, "visit_island", &[23_442, 33_837]),
    // marketplace
    (VisitMarket, "visit_market", &[330_284]),
    // park, urban park, square, old town, historic district
    (Stroll, "stroll", &[22_698, 22_746, 174_782, 676_050, 15_243_209]),
    // World Heritage Site, tourist attraction, historic site, architectural landmark, viewpoint
    (Sightsee, "sightsee", &[9_259, 570_116, 1_081_138, 2_319_498, 6_017_969]),
];

impl ActivityKind {
    /// All kinds, the most telling first.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|(kind, ..)| *kind)
    }

    /// All classes of sights that we know what to do with.
    pub fn classes() -> impl Iterator<Item = u32> {
        TABLE.iter().flat_map(|(.., classes)| classes.iter().copied())
    }

    /// What one does at a sight of these classes. One of no class that we know is there to be looked at.
    pub fn of(classes: &[u32]) -> Self {
        let row = TABLE.iter().find(|(.., known)| known.iter().any(|class| classes.contains(class)));
        row.map_or(Sightsee, |(kind, ..)| *kind)
    }

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        TABLE.iter().find(|(kind, ..)| *kind == self).map_or("sightsee", |(_, name, _)| name)
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        TABLE.iter().find(|(_, known, _)| *known == name).map(|(kind, ..)| *kind)
    }
}
