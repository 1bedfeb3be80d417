#!/usr/bin/env python3
"""Synthetic one-line notes and the structured task each of them means.

A note is assembled from labelled pieces (the core, date, time, priority,
hashtags, filler words), so the expected task is known exactly.  The model card
(repo/README.md) states the rules in words.

The held-out set is disjoint from the training stream by construction: about
one word in nine of every word list below is reserved (see `is_reserved`), every
held-out note contains at least one reserved word, and the training stream
drops any note that contains one.
"""
import argparse
import json
import random
import re
import zlib

# --------------------------------------------------------------------------
# Word lists
# --------------------------------------------------------------------------

PEOPLE = """Ana Ben Carla David Elena Felix Grace Hugo Irene Jonas Kim Laura Marco Nina Oscar Paula Quinn Rosa Sam
Tara Uma Victor Wendy Yara Zoe Alice Bob Charlie Diana Emma Frank George Hannah Ivan Julia Kevin Leo Maria Noah Olivia
Peter Rachel Simon Tom Ursula Vera Walter Xenia Yusuf Zack Amir Bianca Chen Dmitri Esther Fatima Giorgio Hiro Ines
Jamal Keiko Lukas Mei Nadia Omar Priya Raj Sofia Tomas Aisha Bruno Clara Diego Eva Finn Gina Henry Isla Jack Kate Liam
Mia Nick Otto Pia Ron Sara Tim Vicky Will Anna John Mike Lisa Paul Steve Linda James Susan Mark Karen Chris Nancy
Daniel Betty Matthew Helen Tony Sandra Donald Ashley Andrew Donna Josh Carol Ken Michelle Brian Amanda Ed Melissa
Zoë José Chloé Jürgen Søren Łukasz Inés Åsa François Müller Nuñez Renée Björn Márta""".split()
RELATIVES = """mom|dad|mum|grandma|grandpa|my sister|my brother|my aunt|my uncle|my boss|my landlord|my wife|my
husband|the neighbor|the neighbours|the dentist|the doctor|the bank|the plumber|the electrician|the vet|the school|the
landlord|the client|the lawyer|the accountant|the team|the kids|the garage|the insurance|granny|papa|mother|father|the
hotel|the airline|the library|the mechanic|the babysitter|customer service|tech support|the supplier|the agency|HR|the
boss|our investors|the new hire|the tax office|the pharmacy|the editor|the coach|the gardener|the kids' teacher""".split("|")
GROCERIES = """milk eggs bread butter cheese apples bananas coffee tea sugar flour rice pasta tomatoes onions garlic
chicken salmon yogurt oranges lemons carrots potatoes spinach olive_oil toilet_paper dish_soap batteries light_bulbs
cat_food dog_food shampoo toothpaste soap cereal honey jam beer wine water mushrooms peppers cucumbers beans lentils
cookies chocolate ice_cream nuts salt pepper detergent napkins candles paper_towels diapers stamps flowers tofu
avocados grapes basil ginger ham bacon tuna noodles oats vinegar mustard ketchup mayo lettuce broccoli leeks plums""".split()
THINGS = """book gift birthday_cake passport printer laptop phone charger keyboard bike helmet tent umbrella lamp chair
desk sofa mattress curtain camera guitar piano violin novel newspaper magazine ticket present card bouquet jacket coat
shirt dress suit shoes boots hat scarf watch ring mirror carpet vacuum toaster kettle blender fridge oven washing_machine
tablet headphones speaker monitor mouse router cable adapter drill hammer screwdriver ladder paint brush notebook pen
calendar folder stapler suitcase backpack wallet keys sunglasses bottle mug plate pan pot knife board rope ball racket
skateboard puzzle toy doll kite telescope microscope projector whiteboard aquarium plant tree rose_bush fence gate""".split()
DOCS = """report presentation slides essay thesis proposal contract invoice budget spreadsheet newsletter blog_post
article homework assignment application cover_letter resume CV letter email survey tax_return manual review summary
draft outline script poster flyer website landing_page database backup design mockup prototype documentation README
changelog release_notes test_plan roadmap agenda minutes memo press_release brochure itinerary expense_report timesheet
grant_application lesson_plan syllabus chapter manuscript poem song recipe speech video podcast_episode photo_album quote
estimate floor_plan lease logo business_plan case_study user_guide form questionnaire schedule inventory to-do_list""".split()
EVENTS = """lunch dinner breakfast brunch coffee drinks meeting call appointment interview party date walk run game
workshop training lesson class rehearsal concert picnic barbecue hike trip dentist checkup haircut massage standup
sync 1:1 review demo webinar conference exam test ceremony wedding birthday_party playdate chess_match tennis football
yoga gym swimming choir_practice book_club board_meeting team_meeting parent_meeting doctor doctor's_appointment dentist_appointment
job_interview phone_call video_call planning_session retro kickoff lecture seminar study_group movie_night game_night
piano_lesson guitar_lesson driving_lesson vet_visit eye_exam blood_test physio therapy_session house_viewing
flight train_ride car_inspection oil_change delivery photo_shoot tasting museum_visit reunion housewarming
farewell_party graduation rehearsal_dinner potluck bowling karaoke volunteering church mass charity_run""".split()
TOPICS = """the_budget the_new_project the_roadmap holidays the_contract the_move the_renovation salary the_launch
hiring marketing the_website next_steps the_trip school vacation_plans the_offer the_merger the_garden rent taxes
the_wedding insurance pricing the_logo the_schedule security data_privacy the_survey_results onboarding the_prototype
feedback climate_goals the_audit the_invoice the_car the_party the_presentation open_issues quarterly_goals the_roof
childcare the_bathroom printing_costs the_recipe our_strategy the_exhibition the_play logistics the_warehouse""".split()
PLACES = """the_office home the_park the_station the_airport the_library the_gym the_cafe the_beach the_museum
the_community_center the_town_hall the_stadium the_mall the_market the_hospital the_clinic the_school the_pool the_zoo
the_theater the_cinema the_bakery the_pub the_embassy the_bank the_post_office the_harbor the_campus the_studio
the_warehouse headquarters the_church the_hotel the_restaurant Luigi's Starbucks Mario's Joe's_Diner the_Blue_Door
Café_Central the_pizza_place the_Italian_place the_new_sushi_bar room_204 room_12 gate_B7 conference_room_3 my_place her_place
the_playground the_lake the_barn the_workshop the_garage the_old_mill pier_9 building_4 the_corner_shop""".split()
CITIES = """London Paris Berlin Madrid Rome Lisbon Vienna Prague Oslo Tokyo Boston Chicago Toronto Dublin Zürich
Munich Milan Barcelona Porto Athens Warsaw Krakow Budapest Geneva Lyon Hamburg Seattle Austin Denver Kyoto Seoul Cairo
Nairobi Lima Bogotá Montréal Málaga Köln Brno Utrecht Ghent Turin Leeds Bristol York Cork Bergen Tampere""".split()
CHORES = """clean_the_kitchen|water_the_plants|do_the_laundry|take_out_the_trash|feed_the_cat|walk_the_dog|pay_rent|pay
the_rent|pay_the_electricity_bill|pay_the_bills|mow_the_lawn|wash_the_car|vacuum_the_living_room|change_the_sheets|do
the_dishes|fix_the_faucet|renew_the_passport|renew_the_library_card|book_a_flight|book_flights|book_a_hotel|book_a_table|cancel
the_subscription|cancel_the_gym_membership|back_up_the_laptop|update_the_software|charge_the_phone|empty_the_dishwasher|defrost
the_freezer|clean_the_windows|sweep_the_floor|organize_the_closet|sort_the_mail|file_taxes|do_taxes|go_for_a_run|go_running|go
to_the_gym|go_shopping|go_to_the_dentist|go_swimming|take_vitamins|take_the_pills|take_medicine|drink_more_water|stretch|meditate|study
for_the_exam|study_math|practice_guitar|practice_Spanish|learn_French|read_a_book|read_chapter_7|read_20_pages|write_in_the
journal|pick_up_the_kids|pick_up_the_parcel|pick_up_dry_cleaning|drop_off_the_package|return_the_library_books|return_the_shoes|get
a_haircut|get_gas|get_a_flu_shot|donate_blood|donate_old_clothes|replace_the_filter|replace_the_light_bulb|order_pizza|order_new
glasses|order_more_ink|plan_the_party|plan_the_trip|plan_summer_vacation|pack_for_the_trip|pack_the_bags|check_the_oven|check_the
tires|check_the_mail|defend_the_thesis|deploy_the_new_version|merge_the_pull_request|review_the_code|restart_the_server|rotate
the_passwords|reset_the_router|run_5_km|run_for_30_minutes|walk_10000_steps|do_20_push-ups|transfer_200_euros|pay_45_dollars_to_the
club|prepare_dinner|cook_dinner|bake_a_cake|bake_bread|make_soup|make_a_dentist_appointment|make_a_reservation|schedule_a
checkup|register_for_the_marathon|register_the_car|sign_the_lease|sign_up_for_yoga|vote|visit_the_museum|visit_grandma|iron_the
shirts|paint_the_fence|plant_the_tulips|rake_the_leaves|shovel_the_snow|trim_the_hedge|walk_the_neighbor's_dog|brush_the_cat|clean
the_litter_box|change_the_oil|refill_the_prescription|submit_the_timesheet|watch_the_game|watch_a_movie|bring_snacks|bring_the
documents|set_up_the_projector|tidy_up|hang_the_picture|measure_the_window|sell_the_old_sofa|move_the_boxes|turn_off_the_heating|lock
the_shed|unpack|rest|pray|write_thank-you_notes|wrap_the_gifts|decorate_the_tree|top_up_the_bus_card|take_bus_12_to_the_station""".split("|")
TAGS = """work home health family school shopping finance travel errands personal urgent-ish fitness food garden car
music reading project planning team clients kids pets bills house hobby sports study calls meeting admin friends party
holiday q1 q2 Q3 2026goals side-project deep_work to-read followup self-care team_a Work Home Family PhD ops dev design
marketing sales hr legal moving wedding church club tax chores kitchen office budget launch waiting someday-maybe
ideas writing research thesis band bike cooking groceries online phone email volunteer event release v2""".split()
ADJECTIVES = """new old blue red green small big cheap second-hand wooden birthday white black final first weekly
monthly annual long short broken spare warm winter summer""".split()
AMOUNTS = ["2", "3", "4", "5", "6", "10", "12", "two", "three", "some", "more", "a few", "a dozen", "2 kg of", "1 liter of",
           "500g of", "a bag of", "a box of", "6 bottles of", "3 packs of"]

# Everyday words for practice in copying: in training notes they replace other words of the core.
EVERYDAY = """able account across act action adult advice again age agent air album alarm alone amount animal answer apple
area arm army arrive art attic author autumn avenue award baby bag bake ball balcony banana barn base basket bath beach bean
bear bed bell belt bench best beyond bird bite blanket blood board boat body bone bonus boot border bottom bow bowl box boy
branch brain bridge bright broken bucket build bulb burn butter button cabin cage camp canvas cap carpet cart castle cat cell
chain change charity cheap cheese chess chicken child choose city clay climb clock cloth cloud club coast code cold collar color
column comb concrete connect copy corn corner cost cotton count country couple court cover cow crack cream credit crew crowd
cup cut cycle damage dance danger dark daughter deal deep deer degree deliver demand deposit desert detail device diet dig
diploma dirt discuss dish doll donkey door dot double dozen dragon drain draw dream drive drop drum dust eagle earth east
edge effort elbow energy engine enter equal error estate event evil example exit expert eye fabric face factory fair fall
farm fast father fault favor feather feed feel fever field fight figure film filter finger fire fish fix flag flame flat
flight floor flow fly foam fog fold food foot force forest fork fortune forum forward found fountain fox frame freedom fresh
fridge friend front frost fruit fuel full fund funny fur future game gap garage gas gate general gentle ghost giant girl
glass globe glove glue goal goat gold grain grand grass gravel great grill grip ground group grow guest gum habit hair hall
hand handle happy harvest head heart heavy hedge herb hill hole honest hook hope horse host house human hunt husband ice idea
image income index ink insect inside invite iron island item ivory jail jar jeans jewel join joke judge juice jump jury
kernel kettle kidney kind king kiss knee knight label labor lady lake lane language laser laugh lava law layer lead leader
leaf leak leather left leg lemon lens lesson level lid life lift light lime line link lion lip list live load loan local
lock log lost loud love loyal lucky lump lunar magic mail main major make mango maple marble margin market mask master
match mate meal mean meat medal media melon member menu mercy merit metal method middle mind mine mix mobile mode model money
monkey monster moon moral morale mortar moss mother motor motion mount mouse mouth mud mule muscle music nail narrow nature
neck needle nerve nest net never noble noise none noodle north nose notice novel number nurse oak object ocean odd oil olive
one-way onion open orbit organ other oven owner oxygen page pain pair palace panel pants paper parade parent parrot part pass
paste path patient pattern pause peace peach pearl pencil people percent permit petrol photo piece pig pilot pin pine pink
pipe pitch pizza plain planet plank plastic platform play plead pleasant pledge plot plug pocket poem point pole police pond
pool poor port post potato pound powder power praise press price pride prince print prior prison prize problem profile profit
proof proud pull pump pupil purple purse push puzzle queen question queue quick quiet quilt rabbit race radio rail rain raise
ranch random range rare rate raw razor ready real reason rebel record recycle reduce reef region relay remote rent rescue
result reward rib ribbon rice rich rival river road roast robot rock rocket roll roof root rose rough round route royal rubber
rug rule sack sad saddle safe sail saint salad salt sample sand satin sauce sausage save saw scale scene science scooter
score scout scrap screen screw sea seal season seat second secret seed sell send sense series set seven-up shade shadow shake
shape share shark sharp sheep sheet shelf shell shine ship shock shore short shoulder shovel show shower shy sick sign signal
silk silver simple sing sink site size skate skill skin skirt sky slate sleep slice slide slim slope slow smart smell smile
smoke snack snake soap soccer sock soda soft soil soldier solid solo son song soup south space spare spark speed spell spice
spider spike spin spirit spoon spot spray spring square squash stable stage stairs stamp stand star state statue steak steam
steel stem step stick stock stomach stone stool store storm story straw street string strong student style sugar suit sum
sunk sunny sunset surf surprise swan sweater sweet swim switch sword symbol syrup system table tail tale talent tank
tape target taste taxi tea teacher tear teeth term text thank theme thick thin thing thorn thread throat throne thumb thunder
thus tide tiger tight tile timber tin tip tire tissue title toast tobacco toddler toe toilet token tomb ton tone tongue tool
tooth topaz torch total touch tour towel tower town toxic trade traffic trail tram trap trash tray treat trend trial tribe
trick troop truck true trumpet trunk trust tube tuba tulip tuna tune tunnel turkey turtle tutor twig twin type uncle under
uniform union unit upper urban urgency usage useful user usual valley value van vault vegetable velvet vendor verb vessel
victory video view village vine virus visa vision visitor voice volcano volume voyage wage wagon wall walnut war warm warning
wash waste watch wave wax wealth weather web weed weekly-ad weight well west wet whale wheat wheel whenua whip whisper white
wide wife wild willow win wind window wing winter wire wise wish wolf woman wonder wood wool word world worm worth wrap wrist
writer wrong yard yellow young youth zebra zero zinc zipper zone""".split()
# Starts that an ordinary word shares with a date, time, priority or filler word.
MISLEADING = """mon tues tue wedn wed thurs thu fri satur sat sun tod tom tomo ton nex thi wee mor eve noo mid half quar jan feb
mar apr may ju aug sep oct nov dec urg asa imp crit pri hig no nor whe eas chr in on by at for bef unt due ever plea rem
don nee tod thank las day end aft a b c d e f g h i l m n o p r s t u w""".split()

# Ordinary words that a priority, time or date phrase also starts with, and what can stand behind a verb before a date.
HALF_PHRASES = ["top", "high", "low", "super", "right", "medium", "normal", "half"]
PARTICLES = ["up", "off", "out", "back", "away"]
# Starts of made-up places that sound like what also follows "in" and "at".
DATE_STARTS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec Mon Tues Wed Thurs Fri Satur Sun Aus Sev To Week Year".split()
TIME_STARTS = "One Two Three Four Five Six Seven Eight Nine Ten Noon Mid Half Quar".split()

HIGH = ["urgent", "URGENT", "asap", "ASAP", "important", "high priority", "top priority", "very important", "critical",
        "it's urgent", "this is urgent", "very urgent", "really important", "high prio", "priority high", "right away",
        "super urgent", "this is important", "as soon as possible", "priority: high"]
LOW = ["no rush", "low priority", "whenever", "no hurry", "not urgent", "low prio", "when I have time", "not important",
       "priority low", "whenever possible", "when there is time", "if there's time", "no pressure", "not so urgent",
       "whenever I can", "when you have time", "can wait", "it can wait", "eventually", "priority: low"]
NORMAL = ["normal priority", "medium priority", "priority normal", "normal prio"]
HIGH_PREFIX = ["URGENT:", "urgent:", "Urgent:", "URGENT", "urgent", "Urgent -", "URGENT -", "ASAP:", "asap:", "ASAP",
               "important:", "Important:", "IMPORTANT:", "important", "!!", "!!!", "[urgent]", "high priority:",
               "critical:", "(urgent)", "High priority:", "Important -", "URGENT!", "URGENT!!", "top priority:"]
LOW_PREFIX = ["low priority:", "Low priority:", "no rush:", "No rush:", "low prio:", "whenever:", "no rush,",
              "No rush -", "no hurry:", "[low]", "(low priority)", "not urgent:", "Not urgent:", "LOW PRIORITY:",
              "when I have time,", "whenever possible,", "No hurry,"]

FILLERS = ["remind me to", "please", "don't forget to", "dont forget to", "I need to", "need to", "I have to", "have to",
           "I must", "must", "gotta", "todo:", "TODO:", "to do:", "remember to", "I should", "we need to", "we should",
           "let's", "make sure to", "note to self:", "reminder:", "Reminder:", "reminder to", "please remind me to",
           "task:", "I want to", "add:", "can you remind me to", "hey,", "also", "ok so", "we have to", "i need to",
           "you need to", "I've got to", "add a task to", "do not forget to", "note:", "Please"]
EVENT_FILLERS = ["reminder:", "todo:", "I have a", "I have", "we have a", "we have", "there is a", "note:", "add:",
                 "don't forget the", "don't forget:", "event:", "remember the", "Reminder:", "have a",
                 "remind me about the", "remind me of the", "new event:", "hey,"]
ENDINGS = [", please", " please", ", thanks", " thanks", ".", ".", ".", "!", "...", " :)", "?", ";", ", ok?"]

WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
WEEKDAYS_SHORT = ["Mon", "Tue", "Tues", "Wed", "Thu", "Thurs", "Fri", "Sat", "Sun"]
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December"]
MONTHS_SHORT = ["Jan", "Feb", "Mar", "Apr", "Jun", "Jul", "Aug", "Sep", "Sept", "Oct", "Nov", "Dec"]
NUMBER_WORDS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
                "twelve"]
HOLIDAYS = ["Christmas", "Christmas Eve", "New Year's Eve", "Easter", "Halloween", "Valentine's Day", "New Year's Day",
            "Thanksgiving", "Easter Monday", "Mother's Day"]

# Notes the card promises; kept out of the training stream so that they stay a fair check.
PROMISED = [
    ("lunch with Ana next Friday at noon, urgent", ("Lunch with Ana", "next Friday", "12:00", "high", [])),
    ("call mom tomorrow at 5pm", ("Call mom", "tomorrow", "17:00", "normal", [])),
    ("buy milk and eggs", ("Buy milk and eggs", None, None, "normal", [])),
    ("dentist on Tuesday 9:30 #health", ("Dentist", "Tuesday", "09:30", "normal", ["health"])),
    ("finish the report by Friday, no rush", ("Finish the report", "Friday", None, "low", [])),
    ("URGENT: pay rent today", ("Pay rent", "today", None, "high", [])),
    ("team meeting Monday 14:00 #work #planning", ("Team meeting", "Monday", "14:00", "normal", ["work", "planning"])),
]


# --------------------------------------------------------------------------
# Held-out words
# --------------------------------------------------------------------------

def is_reserved(word):
    """True for the words kept for the held-out set (about one in nine)."""
    word = word.lower()
    return word == "ana" or (len(word) > 2 and zlib.crc32(("reserved:" + word).encode()) % 9 == 0)


def words_of(text):
    return re.findall(r"[^\W\d_]+", text)


def has_reserved(note):
    """True when the note contains a reserved word of the word lists."""
    return any(word.lower() in RESERVED for word in words_of(note))


def clean(entries):
    return [" ".join(e.replace("_", " ").split()) for e in entries]


LISTS = {"people": PEOPLE, "relatives": RELATIVES, "groceries": GROCERIES, "things": THINGS, "docs": DOCS,
         "events": EVENTS, "topics": TOPICS, "places": PLACES, "cities": CITIES, "chores": CHORES, "tags": TAGS}
LISTS = {name: clean(entries) for name, entries in LISTS.items()}
# Words that belong to the note language itself are never reserved.
COMMON = set(words_of(" ".join(HIGH + LOW + NORMAL + HIGH_PREFIX + LOW_PREFIX + FILLERS + EVENT_FILLERS + ENDINGS + WEEKDAYS
                               + WEEKDAYS_SHORT + MONTHS + MONTHS_SHORT + NUMBER_WORDS + HOLIDAYS + ADJECTIVES + AMOUNTS
                               ).lower())) | set("""the and for with from new our her day days week weeks month months
weekend morning afternoon evening night tonight today tomorrow noon midnight midday half quarter past hour hours minutes
clock end next this every later call buy get pay book dinner lunch meeting team report will off read check bring prepare
review update pack""".split())
RESERVED = {w.lower() for entries in LISTS.values() for e in entries for w in words_of(e)
            if is_reserved(w) and w.lower() not in COMMON}


# --------------------------------------------------------------------------
# Pieces
# --------------------------------------------------------------------------

ONSETS = "b c d f g h j k l m n p r s t v w z br ch cl cr dr fl gr kl pl pr qu sh sk sl sn sp st str th tr tw x y".split()
NUCLEI = "a e i o u a e i o u ai ea ee ie oa oo ou au y".split()
CODAS = [""] * 8 + "n r s t l m k d p x g nd rt st sh ck ll ss ng mp".split()
FOREIGN = ["é", "è", "ü", "ö", "ä", "ñ", "ç", "ø", "å", "ł", "š", "ž", "í", "ó", "ß", "ê", "ã", "ğ"]
OTHER_SCRIPTS = ["привет", "Мария", "молоко", "встреча", "学校", "会議", "東京", "ταξίδι", "Νίκος", "أحمد", "मीरा", "🎂",
                 "🚀", "✅", "🍕", "☕", "❤️", "한국", "שלום", "😀", "€50", "£20", "–", "½"]


class Writer:
    """Draws notes from one random stream."""

    def __init__(self, seed, heldout=False):
        self.rng = random.Random(seed)
        self.heldout = heldout
        # Training uses invented words more often than the held-out set, so that the model learns to copy.
        self.novelty = 1.0 if heldout else 2.0
        # A training note may be a drill: what the model still got wrong comes far more often in it.
        self.drill = False
        keep = (lambda e: True) if heldout else (lambda e: not has_reserved(e))
        self.lists = {name: [e for e in entries if keep(e)] for name, entries in LISTS.items()}
        self.reserved_lists = {name: [e for e in entries if has_reserved(e)] for name, entries in LISTS.items()}

    # -- small helpers

    def chance(self, p):
        return self.rng.random() < p

    def pick(self, options):
        return options[int(self.rng.random() * len(options))]

    def entry(self, name):
        if self.heldout and self.reserved_lists[name] and self.chance(0.5):
            return self.pick(self.reserved_lists[name])
        return self.pick(self.lists[name])

    def invented_word(self, capital=False):
        r = self.rng.random()
        if r < 0.86:
            word = "".join(self.pick(ONSETS) + self.pick(NUCLEI) + self.pick(CODAS)
                           for _ in range(self.pick([1, 1, 2, 2, 2, 3, 3, 4])))
            if self.chance(0.06):
                at = self.rng.randrange(len(word))
                word = word[:at] + self.pick(FOREIGN) + word[at + 1:]
        elif r < 0.92:
            word = "".join(self.pick("abcdefghijklmnopqrstuvwxyz") for _ in range(self.rng.randint(2, 9)))
        elif r < 0.95:
            word = self.pick("ABCDEFGHKLMNPRSTX") + self.pick("ABCDEFGHKLMNPRSTX-") + str(self.rng.randrange(1, 1000))
        elif r < 0.98:
            word = "".join(self.pick("ABCDEFGHIJKLMNOPQRSTUVWXYZ") for _ in range(self.rng.randint(2, 5)))
        else:
            word = self.pick(OTHER_SCRIPTS)
        return word[:1].upper() + word[1:] if capital else word

    def practice_word(self):
        """A word to copy: everyday, invented, or one that starts like a date, time or priority word."""
        r = self.rng.random()
        if r < 0.5:
            return self.pick(EVERYDAY)
        if r < 0.75:
            return self.invented_word()
        if r < 0.88:
            return self.pick(MISLEADING) + self.invented_word()[:5]
        return self.pick(MISLEADING) + self.pick(EVERYDAY)[-4:]

    def drill_word(self, other):
        """A word that is hard to copy: it repeats itself, begins or ends as `other` does, or is `other` again."""
        r, word = self.rng.random(), self.invented_word()
        if r < 0.35:
            at, size = self.rng.randrange(len(word)), self.pick([1, 2, 2, 3, 3, 4])
            return word[:at + size] + self.pick(["", "", self.pick(NUCLEI), self.pick("lnrst")]) + word[at:]
        if r < 0.55:
            return other[:self.rng.randint(2, 5)] + word[:5]
        if r < 0.70:
            return word[:5] + other[-self.rng.randint(2, 4):]
        if r < 0.85:
            return word + self.invented_word()
        return other

    def drill_chunks(self, chunks):
        """The same chunks with one or two hard words, and now and then a word that looks like the start of a phrase."""
        chunks = [chunk.split(" ") for chunk in chunks]
        for _ in range(self.pick([1, 1, 2])):
            words = self.pick(chunks)
            others = [w for chunk in chunks for w in chunk if len(w) > 2 and w.isalpha()]
            at = self.rng.randrange(len(words))
            if others and words[at].isalpha() and words[at] not in ("the", "a", "and", "with", "for", "to"):
                words[at] = self.drill_word(self.pick(others))
        words = chunks[0]
        r = self.rng.random()
        if r < 0.08:
            words[:] = [self.pick(["get", "put", "take", "set", "turn", "bring", "top", self.invented_word()]),
                        self.pick(PARTICLES)] + (words[1:] if self.chance(0.6) else [])
        elif r < 0.16 and len(words) > 1:
            words.insert(self.rng.randrange(1, len(words)), self.pick(HALF_PHRASES))
        elif r < 0.20:
            words[:0] = [self.pick(HALF_PHRASES[:4]), self.pick(PARTICLES + [self.pick(EVERYDAY)])]
        return [" ".join(words) for words in chunks]

    def typo(self, word):
        if len(word) < 4:
            return word
        at = self.rng.randrange(1, len(word) - 1)
        r = self.rng.random()
        if r < 0.35:
            return word[:at] + word[at + 1:]
        if r < 0.7:
            return word[:at] + word[at + 1] + word[at] + word[at + 2:]
        return word[:at] + word[at] + word[at:]

    # -- words of the core

    def person(self):
        r = self.rng.random()
        if r < 0.26 * self.novelty:
            name = self.invented_word(capital=True)
        elif r < 0.70:
            name = self.entry("people")
        else:
            return self.entry("relatives")
        if self.chance(0.08):
            name = self.pick(["Dr.", "Mr.", "Mrs.", "Ms.", "Prof.", "Dr", "aunt", "uncle", "coach"]) + " " + name
        if self.chance(0.07):
            name += " " + self.invented_word(capital=True)
        return name

    def people(self):
        if self.chance(0.15):
            return self.person() + " and " + self.person()
        return self.person()

    def noun(self, name):
        r = self.rng.random()
        if r < 0.16 * self.novelty:
            return self.invented_word()
        word = self.entry(name)
        if r > 0.92:
            word = self.pick(ADJECTIVES) + " " + word
        return word

    def shopping(self):
        items = [self.noun("groceries") for _ in range(self.pick([1, 1, 2, 2, 2, 3, 3, 4]))]
        items = [self.pick(AMOUNTS) + " " + item if self.chance(0.15) else item for item in items]
        joiner = self.pick([" and ", " and ", " and ", " & ", ", ", " + "])
        return items[0] if len(items) == 1 else ", ".join(items[:-1]) + joiner + items[-1]

    def place(self):
        if self.drill and self.chance(0.3):
            kind, start = self.pick([("in ", DATE_STARTS), ("at ", TIME_STARTS), ("on ", DATE_STARTS), ("at ", DATE_STARTS)])
            return kind + self.pick(start) + self.invented_word()[:self.rng.randint(3, 6)]
        r = self.rng.random()
        if r < 0.55:
            return "at " + self.entry("places")
        if r < 0.7:
            return "at " + self.invented_word(capital=True) + self.pick(["", "", "'s", " Café", " Street", " bar"])
        return "in " + (self.entry("cities") if r < 0.9 else self.invented_word(capital=True))

    def core(self):
        """The core of the note, as chunks between which a date or a time may stand; True for an event."""
        c, r = self, self.rng.random()
        if r < 0.28:
            chunks = [c.noun("events")]
            if c.chance(0.12):
                chunks = [c.invented_word(capital=c.chance(0.5)) + " " + chunks[0]]
            if c.chance(0.06):
                chunks = [c.person() + "'s " + chunks[0]]
            if c.chance(0.55):
                chunks.append(c.pick(["with", "with", "with", "with", "w/", "for"]) + " " + c.people())
            if c.chance(0.22):
                chunks.append(c.place())
            if c.chance(0.12):
                chunks.append(c.pick(["about", "on", "re"]) + " " + c.noun("topics"))
            return chunks, True
        if r < 0.45:
            chunks = [c.pick(["call", "email", "text", "meet", "ask", "visit", "message", "write to", "phone", "remind",
                              "thank", "invite", "meet with", "talk to", "call back", "ping", "pick up", "see", "pay",
                              "Skype", "check on", "reply to", "say hi to", "congratulate", "help"]) + " " + c.people()]
            if c.chance(0.30):
                chunks.append(c.pick(["about", "about", "regarding", "re"]) + " " + c.noun("topics"))
            elif c.chance(0.25):
                chunks.append(c.place())
            return chunks, False
        if r < 0.56:
            chunks = [c.pick(["buy", "buy", "get", "pick up", "order", "grab", "shop for", "bring"]) + " " + c.shopping()]
            if c.chance(0.2):
                chunks.append("for " + c.people())
            elif c.chance(0.15):
                chunks.append(c.place())
            return chunks, False
        if r < 0.66:
            return [c.pick(["finish", "write", "send", "review", "submit", "prepare", "edit", "print", "proofread", "update",
                            "work on", "start", "complete", "draft", "hand in", "sign", "read", "check", "upload", "share",
                            "translate", "revise"])
                    + " " + c.pick(["the", "the", "the", "my", "our", "a", "", "all"]) + " " + c.noun("docs")] + (
                    [c.pick(["to", "for", "with"]) + " " + c.people()] if c.chance(0.3) else []), False
        if r < 0.74:
            return [c.pick(["buy", "fix", "repair", "return", "sell", "clean", "order", "find", "replace", "bring", "move",
                            "pick up", "borrow", "look for", "wrap", "pack", "donate", "assemble", "measure", "test"])
                    + " " + c.pick(["a", "the", "the", "my", "a", "that", "the 2", ""]) + " " + c.noun("things")] + (
                    [c.pick(["for", "to", "from"]) + " " + c.people()] if c.chance(0.3) else []), False
        if r < 0.88:
            chunks = [c.entry("chores")]
            if c.chance(0.15):
                chunks.append(c.pick([c.place(), "with " + c.people()]))
            return chunks, False
        if r < 0.975:
            words = [c.invented_word() for _ in range(c.pick([1, 1, 2, 2, 3, 3, 4, 5, 6]))]
            for i in range(1, len(words)):
                if c.chance(0.2):
                    words[i] = c.pick(["the", "a", "with", "for", "and", "of", "to", "my", "about", "in", "at the",
                                       str(c.rng.randrange(2, 400))])
            if words[-1] in ("the", "a", "with", "for", "and", "of", "to", "my", "about", "in", "at the") or words[-1].isdigit():
                words.append(c.invented_word())
            if words[0].isdigit():
                words.insert(0, "get")
            cut = c.rng.randrange(1, len(words) + 1)
            return [" ".join(words[:cut])] + ([" ".join(words[cut:])] if cut < len(words) and c.chance(0.3)
                                              else []) if cut == len(words) or c.chance(0.5) else [" ".join(words)], c.chance(0.3)
        if r < 0.985:
            return ["fix bug #" + str(c.rng.randrange(1, 5000)) + c.pick(["", " in the parser", " in " + c.invented_word()])], False
        if r < 0.992:
            return [c.pick(["read", "watch", "listen to", "look up", "ask about"]) + ' "' + c.pick(
                [c.invented_word(True) + " " + c.invented_word(), c.entry("things"), c.entry("topics")]) + '"'], False
        return [c.pick(["find", "pay", "check", "return"]) + " " + c.person() + "'s " + c.noun("things")], False

    # -- date and time

    def date(self):
        """(words in the note, the date words, part of the day they imply)"""
        c, r = self, self.rng.random()
        if c.drill:
            r = c.pick([r, c.rng.uniform(0.26, 1.0), c.rng.uniform(0.60, 1.0)])
        weekday = c.pick(WEEKDAYS) if c.chance(0.5 if c.drill else 0.8) else c.pick(WEEKDAYS_SHORT)
        month = c.pick(MONTHS) if c.chance(0.7) else c.pick(MONTHS_SHORT)
        n = c.rng.randint(1, 31)
        nth = str(n) + ("th" if 10 < n < 14 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th"))
        before = c.pick(["on ", "on ", "on ", "by ", "for ", "before ", "until ", "due ", ""])
        part = None
        if r < 0.20:
            date, before = c.pick(["today", "tomorrow", "tomorrow"]), c.pick([""] * 8 + ["by ", "for ", "before ", "due "])
            if c.chance(0.06):
                date = c.pick(["tmrw", "tmr", "tomorow", "tommorow", "2day", "2morrow", "tomorrrow"])
            if c.chance(0.15) and date == "tomorrow":
                part = c.pick(["morning", "afternoon", "evening", "night"])
                date += " " + part
        elif r < 0.26:
            part = c.pick(["tonight", "tonight", "morning", "afternoon", "evening"])
            date, before = (part if part == "tonight" else "this " + part), c.pick([""] * 8 + ["for ", "by "])
            part = "evening" if part == "tonight" else part
        elif r < 0.46:
            date = weekday
            before = c.pick(["on ", "on ", "on ", "by ", "for ", "before ", "until ", "", "", "", "due "])
            if c.chance(0.14):
                part = c.pick(["morning", "afternoon", "evening", "night"])
                date += " " + part
        elif r < 0.60:
            date = c.pick(["next ", "next ", "next ", "this ", "this "]) + c.pick([weekday, weekday, weekday, weekday, "week",
                                                                                   "weekend", "month"])
            before = c.pick([""] * 6 + ["on ", "by ", "for ", "before ", "until "])
        elif r < 0.64:
            date = c.pick(["the weekend", "the end of the week", "the end of the month", "end of month", "end of the week",
                           "the day after tomorrow", "day after tomorrow", "next year", "the end of the year",
                           "end of " + month, "later today", "early next week", "end of day"])
            before = c.pick(["by ", "before ", "for "]) if "end" in date and date != "the weekend" else c.pick(["", "for ", "by "])
            if date == "the weekend":
                before = c.pick(["on ", "over ", "by ", "for "])
        elif r < 0.73:
            amount = c.pick(["2", "3", "4", "5", "10", "two", "three", "four", "a", "a couple of", "six", str(n + 1)])
            unit = c.pick(["day", "week", "month", "day", "week"])
            date, before = "in " + amount + " " + unit + ("" if amount == "a" else "s"), ""
            if c.chance(0.12):
                date = c.pick(["in 20 minutes", "in an hour", "in 2 hours", "in half an hour", "in 3 hours", "in 45 minutes",
                               "in two hours", "in 10 min", "in " + month])
        elif r < 0.79:
            date = c.pick(["the " + nth, "the " + nth, "the " + nth + " of " + month, nth + " of " + month, nth + " " + month])
            before = c.pick(["on ", "on ", "on ", "by ", "before ", "for "])
        elif r < 0.92:
            date = c.pick([month + " " + str(n), month + " " + str(n), month + " " + nth, f"{n} {month}", f"{n} {month}",
                           f"{month} {n}, {c.rng.randint(2024, 2031)}", f"{n} {month} {c.rng.randint(2024, 2031)}",
                           f"{weekday} {n} {month}", f"{weekday} {month} {n}", f"{weekday}, {month} {n}", f"{weekday} the {nth}",
                           f"{n}. {month}"])
        elif r < 0.975:
            m, y = c.rng.randint(1, 12), c.rng.randint(2024, 2031)
            date = c.pick([f"{y}-{m:02}-{n:02}", f"{y}-{m:02}-{n:02}", f"{n:02}/{m:02}", f"{m}/{n}", f"{m:02}/{n:02}",
                           f"{n}/{m}/{y}", f"{n:02}/{m:02}/{y}", f"{n}.{m}.{y}", f"{n:02}.{m:02}.{y}", f"{n}/{m}/{y % 100}"])
        elif r < 0.988:
            date, before = "every " + c.pick([weekday, weekday, "day", "week", "month", "morning", "evening", "weekend",
                                              "other day", "second " + weekday]), ""
            part = date[6:] if date[6:] in ("morning", "evening") else None
        else:
            date, before = c.pick(HOLIDAYS), c.pick(["on ", "before ", "by ", "for "])
        return before + date, date, part

    def time(self, part):
        """(words in the note, "HH:MM"); `part` is the part of the day that the date words imply."""
        c, r = self, self.rng.random()
        hour = c.rng.randint(1, 12)
        if part and c.chance(0.9):
            hour = c.pick({"morning": [6, 7, 8, 9, 10, 11], "afternoon": [1, 2, 3, 4, 5], "evening": [5, 6, 7, 8, 9, 10, 11],
                           "night": [8, 9, 10, 11]}[part])
        minute = c.pick([0, 0, 0, 30, 30, 15, 45, 10, 20, 5, 40, 50, c.rng.randrange(60)])
        at = c.pick(["at ", "at ", "at ", "at ", "", "", "@ ", "@", "around ", "by ", "from ", "about "])
        if c.drill:
            r = c.pick([r, c.rng.uniform(0.09, 1.0), c.rng.uniform(0.37, 1.0)])
        if r < 0.09:
            words, value = c.pick([("noon", "12:00"), ("noon", "12:00"), ("midnight", "00:00"), ("midday", "12:00")])
            return c.pick(["at ", "at ", "at ", "around ", "by ", "before ", "", "", "@ "]) + words, value
        if r < 0.37:  # 3pm, 3:30 PM, 11 a.m.
            suffix = c.pick(["am", "pm", "pm", "AM", "PM", "a.m.", "p.m.", "pm", "pm", "am"])
            text = str(hour) if minute == 0 and c.chance(0.93) else f"{hour}{c.pick('::::.')}{minute:02}"
            space = c.pick(["", "", " "])
            hour = hour % 12 + (12 if suffix.lower().startswith("p") else 0)
            return at + text + space + suffix, f"{hour:02}:{minute:02}"
        if r < 0.57:  # 24-hour clock
            if part is None or c.chance(0.1):
                hour = c.pick([c.rng.randrange(24), c.rng.randint(7, 22)])
            elif part != "morning" and hour < 12 and c.chance(0.8):
                hour += 12
            hour_text = f"{hour:02}" if c.chance(0.35) or hour in (0,) else str(hour)
            if c.chance(0.12) and hour > 6:
                text = hour_text + c.pick(["h", "H"]) + ("" if minute == 0 else f"{minute:02}")
            else:
                text = hour_text + ":" + f"{minute:02}"
                if hour < 10 and len(hour_text) == 1:
                    return at + text, self.resolve(hour, minute, part)
                if 10 <= hour < 12 and part in ("evening", "night"):
                    hour += 12
            return at + text, f"{hour:02}:{minute:02}"
        # a clock face reading: the part of the day comes from the words, else from the rule in `resolve`
        number = str(hour) if c.chance(0.5) else NUMBER_WORDS[hour]
        at = c.pick(["at ", "at ", "at ", "at ", "around ", "by ", "@ "])
        kind = self.rng.random()
        if kind < 0.30:
            text, minute = number, 0
        elif kind < 0.42:
            text, minute = number + c.pick([" o'clock", " o'clock", " oclock", " sharp"]), 0
        elif kind < 0.64:
            text, minute = "half past " + number, 30
        elif kind < 0.74:
            text, minute = c.pick(["quarter past ", "a quarter past "]) + number, 15
        elif kind < 0.84:
            text, minute, hour = c.pick(["quarter to ", "a quarter to "]) + number, 45, hour - 1 or 12
        elif kind < 0.90:
            m = c.pick([5, 10, 20])
            text, minute = c.pick([str(m), {5: "five", 10: "ten", 20: "twenty"}[m]]) + " past " + number, m
        elif kind < 0.95:
            m = c.pick([5, 10, 20])
            text, minute, hour = (c.pick([str(m), {5: "five", 10: "ten", 20: "twenty"}[m]]) + " to " + number, 60 - m,
                                  hour - 1 or 12)
        else:
            minute = c.pick([15, 30, 45])
            text = NUMBER_WORDS[hour] + " " + {15: "fifteen", 30: "thirty", 45: "forty-five"}[minute]
        if kind >= 0.30 and c.chance(0.3):
            at = ""
        if part is None and c.chance(0.35):
            part = c.pick(["morning", "evening", "afternoon", "night", "tonight"])
            if part == "night":
                text += " at night"
            elif part == "tonight":
                part = None
            else:
                text += " in the " + part
        return at + text, self.resolve(hour, minute, part)

    @staticmethod
    def resolve(hour, minute, part):
        """A clock reading (hour 0..12) to 24 hours; without a part of the day 1:00..6:59 is afternoon."""
        if part == "morning":
            hour = hour % 12 if hour == 12 else hour
        elif part in ("afternoon", "evening"):
            hour = hour + 12 if 0 < hour < 12 else (12 if part == "afternoon" or hour == 0 else 0)
        elif part == "night":
            hour = 0 if hour in (0, 12) else hour if hour < 5 else hour + 12
        elif 1 <= hour <= 6:
            hour += 12
        return f"{hour:02}:{minute:02}"

    # -- the note

    def recase(self, pieces):
        """Lower-case or upper-case the whole note now and then (pieces: list of [kind, text, value])."""
        r = self.rng.random()
        change = str.lower if r < 0.33 else str.upper if r < 0.36 else None
        for piece in pieces:
            kind, text = piece[0], piece[1]
            if change and len(change(text)) == len(text):
                piece[1] = change(text)
                if kind == "date":
                    piece[2] = change(piece[2])
        if change is None and self.chance(0.3):
            first = pieces[0]
            upper = first[1][:1].upper() + first[1][1:]
            if first[0] == "date" and first[2] and first[1].startswith(first[2]):
                first[2] = upper[:len(first[2])]
            first[1] = upper

    def note(self):
        while True:
            note, task = self.compose()
            if len(note.encode()) > 150 or "ß" in note[:1]:
                continue
            if has_reserved(note) != self.heldout or note.lower() in PROMISED_NOTES:
                continue
            return note, task

    def compose(self):
        c = self
        c.drill = not c.heldout and c.chance(0.4)
        chunks, is_event = c.core()
        chunks = [" ".join(chunk.split()) for chunk in chunks]
        if c.chance(0.07):
            words = chunks[0].split(" ")
            at = c.rng.randrange(len(words))
            if words[at].isalpha():
                words[at] = c.typo(words[at])
            chunks[0] = " ".join(words)
        if not c.heldout and c.chance(0.7):  # more practice in copying: any longer word may be replaced by another one
            share = c.pick([0.15, 0.3, 0.6])
            chunks = [" ".join(c.practice_word() if len(w) > 2 and w.isalpha() and w not in ("the", "and", "for", "with")
                               and c.chance(share) else w for w in chunk.split(" ")) for chunk in chunks]
        if c.drill and c.chance(0.6):
            chunks = c.drill_chunks(chunks)
        core = [["core", chunk, None] for chunk in chunks]
        if c.chance(0.2):
            filler = c.pick(EVENT_FILLERS if is_event else FILLERS)
            core.insert(0, ["filler", filler, None])
        gaps = list(range(1, len(core) + 1)) if core[0][0] == "core" else list(range(2, len(core) + 1))
        date = time = None
        when = []
        if c.chance(0.72):
            words, value, part = c.date()
            date = ["date", words, value]
            when.append(date)
        if c.chance(0.58):
            words, value = c.time(part if date else None)
            time = ["time", words, value]
            when.append(time)
        if date and time:
            if c.chance(0.3):
                when.reverse()
                if date[1][0].isdigit() or time[1][-1].isdigit() and c.chance(0.5) and date[1] == date[2]:
                    if not date[2].lower().startswith(("to", "tmr", "this", "next", "every", "in ", "2", "later")) or date[2][:2] == "20":
                        date[1] = "on " + date[2]
        pieces = list(core)
        # every piece keeps its left neighbour in `glue`: pieces that belong together get a plain space
        if date and time and c.chance(0.78):
            blocks = [when]
        else:
            blocks = [[w] for w in when]
        for block in sorted(blocks, key=lambda b: c.rng.random()):
            r = c.rng.random()
            if r < 0.68:
                position = len(pieces)
            elif r < 0.86:
                position = 0
                if pieces[0][0] == "filler" and c.chance(0.6):
                    del pieces[0]
                    gaps = [gap - 1 for gap in gaps]
            else:
                position = c.pick(gaps)
            pieces[position:position] = block
        tags = []
        for _ in range(c.pick([0] * 8 + [1] * 4 + [2] * 4 + [3] * 4 if c.drill else [0] * 12 + [1] * 5 + [2] * 2 + [3])):
            tag = c.invented_word(c.chance(0.2)) if c.chance(0.3 * c.novelty) else c.entry("tags")
            if c.drill and tags and c.chance(0.3):
                tag = tags[-1][1][1:3] + tag[2:]
            tag = re.sub(r"[^\w-]", "", tag)
            if tag[:1].isdigit() and tag.isdigit() or not tag:
                tag = "work"
            if ["tag", "#" + tag, None] not in tags:
                tags.append(["tag", "#" + tag, None])
        r = c.rng.random()
        if r < 0.78:
            pieces += tags
        elif r < 0.88:
            pieces = tags + pieces
        else:
            for tag in tags:
                slots = [i for i in range(len(pieces) + 1) if i == 0 or pieces[i - 1][0] != "filler"]
                pieces.insert(c.pick(slots), tag)
        level, r = "normal", c.rng.random()
        if r < 0.42:
            level = "high" if r < 0.21 else "low" if r < (0.35 if c.drill else 0.40) else "normal"
            place = c.rng.random()
            if place < 0.28 and level != "normal":
                pieces.insert(0, ["priority", c.pick(HIGH_PREFIX if level == "high" else LOW_PREFIX), None])
            else:
                words = c.pick({"high": HIGH, "low": LOW, "normal": NORMAL}[level])
                if level == "high" and c.chance(0.18):
                    words = c.pick(["!!", "!!", "!!!"])
                words = c.pick([words] * 10 + ["(" + words + ")", "[" + words + "]"]) if words[0] != "!" else words
                if c.chance(0.1):
                    words = words[:1].upper() + words[1:]
                slots = [len(pieces)] * (2 if c.drill else 8) + [i for i in range(1, len(pieces)) if pieces[i - 1][0] != "filler"]
                pieces.insert(c.pick(slots), ["priority", words, None])
        c.recase(pieces)
        note = c.join(pieces)
        title = " ".join(p[1] for p in pieces if p[0] == "core").strip(" ,;:.!?-")
        title = title[:1].upper() + title[1:]
        task = {"title": title, "date": date[2] if date else None, "time": time[2] if time else None, "priority": level,
                "tags": [p[1][1:] for p in pieces if p[0] == "tag"]}
        return note, task

    def join(self, pieces):
        """Pieces to one line: mostly spaces, sometimes commas or dashes where a person would put them."""
        c = self
        style = c.pick([", "] * 8 + [" - ", "; ", ". ", " / ", ","])
        comma = c.pick([0.0, 0.15, 0.4])
        note = pieces[0][1]
        for left, right in zip(pieces, pieces[1:]):
            glue, kinds = " ", (left[0], right[0])
            if right[1][0] == "!" and c.chance(0.8):
                glue = ""
            elif left[0] == "filler" or (left[0] == "priority" and left[1][-1] in ":-,!"):
                glue = " "
            elif kinds == ("core", "priority") or kinds == ("date", "priority") or kinds == ("time", "priority"):
                glue = ", " if c.chance(0.5) else style if c.chance(0.4) else " "
            elif "tag" in kinds:
                glue = " " if c.chance(0.92) else style
            elif kinds in (("date", "time"), ("time", "date"), ("core", "core")):
                glue = " " if c.chance(0.93) or kinds[0] == "core" else ", "
            elif c.chance(comma):
                glue = style
            if left[1][-1] in ",.!;" and glue.strip():
                glue = " "
            if glue == "," and (note[-1:].isdigit() or right[1][:1].isdigit()):
                glue = ", "
            if c.chance(0.006) and glue == " ":
                glue = "  "
            note += glue + right[1]
        if c.chance(0.10):
            note += c.pick(ENDINGS)
        if c.chance(0.01):
            note = " " + note
        return note


PROMISED_NOTES = {note.lower() for note, _ in PROMISED}


def as_json(task):
    """The exact answer text: compact JSON, fixed key order."""
    return json.dumps(task, ensure_ascii=False, separators=(",", ":"))


def promised_tasks():
    keys = ("title", "date", "time", "priority", "tags")
    return [(note, dict(zip(keys, values))) for note, values in PROMISED]


def training_notes(seed):
    """Endless training stream."""
    writer = Writer(f"train:{seed}")
    while True:
        yield writer.note()


def heldout_notes(count, seed=2026):
    """The held-out set: distinct notes, each with at least one reserved word."""
    writer, seen, notes = Writer(f"heldout:{seed}", heldout=True), set(), []
    while len(notes) < count:
        note, task = writer.note()
        if note not in seen:
            seen.add(note)
            notes.append((note, task))
    return notes


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--heldout", action="store_true", help="write the held-out set instead of training notes")
    args = parser.parse_args()
    stream = heldout_notes(args.count) if args.heldout else (n for n, _ in zip(training_notes(args.seed), range(args.count)))
    for note, task in stream:
        print(json.dumps({"note": note, "expected": task}, ensure_ascii=False))


if __name__ == "__main__":
    main()
