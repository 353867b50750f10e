# ruff: noqa: E501 - a line holds one sentence of a grammar
"""What simulated people write about: per domain, phrases that the registers of `english` combine.

Symbols of a domain: `topic` (a subject of study), `do` (infinitive without "to"), `trouble` (a clause
about something that goes wrong), `thing` (things that can be compared), `person` (who is concerned).
"""

from __future__ import annotations

from streams.simulation.text.grammar import phrases


def _domain(topic: str, do: str, trouble: str, thing: str, person: str) -> dict[str, list[str]]:
    return {
        "topic": phrases(topic),
        "do": phrases(do),
        "trouble": phrases(trouble),
        "thing": phrases(thing),
        "person": phrases(person),
    }


DOMAINS: dict[str, dict[str, list[str]]] = {
    "cooking": _domain(
        "sourdough fermentation; the Maillard reaction; knife sharpening; braising; umami; food storage; "
        "emulsions; vegetarian protein; pressure cooking; seasonal vegetables",
        "bake bread without a mixer; cook rice that doesn't stick; cut down on salt; prepare lunches for a "
        "week; thicken a soup without flour; replace eggs in a cake; season a cast iron pan; feed twelve "
        "people on a small budget; use up half a cabbage",
        "my custard splits every time; the crust stays pale; the dough won't rise in winter; everything "
        "tastes flat; the sauce went lumpy; my onions burn before they soften",
        "butter and olive oil; a wok and a frying pan; fresh and dried pasta; a gas hob and induction; "
        "lentils and chickpeas; white and brown sugar",
        "a beginner; my flatmate; a picky six-year-old; somebody with a nut allergy; a small café",
    ),
    "travel": _domain(
        "night trains in Europe; travel insurance; jet lag; the rainy season in Southeast Asia; visa rules; "
        "packing light; rail passes; hiking permits; altitude sickness; house swaps",
        "spend four days in Lisbon; cross the Alps by train; plan a road trip with a dog; find quiet beaches; "
        "travel with hand luggage only; visit Kyoto outside the high season; get from the airport to the city "
        "late at night; choose between two tour operators",
        "our connection was cancelled; the hotel lost the booking; my suitcase arrived two days late; the "
        "ferry is fully booked; the forecast looks awful",
        "Porto and Seville; a hostel and a flat; the coast and the mountains; flying and the sleeper train; "
        "an organised tour and going alone",
        "a family of five; two retired teachers; a solo traveller; my parents; a wheelchair user",
    ),
    "fitness": _domain(
        "progressive overload; resting heart rate; running cadence; mobility work; protein timing; deload "
        "weeks; sleep and recovery; interval training; shin splints; swimming technique",
        "run ten kilometres by spring; do a first pull-up; stretch tight hips; get back into shape after an "
        "injury; train at home with two dumbbells; avoid knee pain when squatting; build a habit that lasts",
        "my lower back aches after deadlifts; I stopped making progress in March; I can't fall asleep after "
        "evening training; my heart rate is far too high on easy runs; my shoulder clicks",
        "rowing and cycling; free weights and machines; morning and evening sessions; yoga and pilates",
        "an office worker; a complete beginner; a man of sixty; a new mother; a goalkeeper",
    ),
    "money": _domain(
        "compound interest; index funds; the difference between gross and net pay; mortgage repayment; "
        "inflation; emergency savings; currency risk; pension contributions; depreciation; credit scores",
        "save for a deposit in three years; get rid of card debt; split rent fairly; read a balance sheet; "
        "estimate the cost of a used car; set up a household budget; negotiate a lower interest rate",
        "the bank changed the fees without notice; I overdraw every month; the quote doubled; my tax refund "
        "never came; the invoice is sixty days late",
        "a fixed and a variable rate; renting and buying; leasing and owning; bonds and a savings account",
        "a student; a freelancer; a couple with one income; a small charity; somebody near retirement",
    ),
    "garden": _domain(
        "composting; crop rotation; soil acidity; pruning fruit trees; drip irrigation; companion planting; "
        "slugs; wildflower meadows; hard frost; mulch",
        "grow tomatoes on a balcony; keep slugs away without poison; revive a dry lawn; plant a hedge in "
        "clay soil; start seeds indoors; attract bees; move an old rose; water while we are away",
        "the leaves turn yellow from below; something eats the lettuce at night; the cuttings rot; the pond "
        "is green again; the apple tree drops its fruit early",
        "peat and coir; annuals and perennials; raised beds and pots; a hedge and a fence",
        "a beginner; a school; my neighbour; tenants with a small yard; an allotment club",
    ),
    "parenting": _domain(
        "bilingual children; screen time; weaning; night terrors; pocket money; sibling rivalry; reading "
        "aloud; starting school; shyness; tantrums",
        "get a toddler to sleep; explain death to a child; keep three kids busy on a rainy day; talk about "
        "bullying; organise a birthday for ten children; help with homework without doing it",
        "she refuses every vegetable; he wakes up at five; they fight over every toy; the teacher says he "
        "daydreams; bedtime takes two hours",
        "a childminder and a nursery; a prize chart and plain praise; a tablet and a story",
        "a three-year-old; my stepson; twins; a teenager; grandparents",
    ),
    "history": _domain(
        "the Hanseatic League; the fall of Constantinople; the Silk Road; the Black Death; the printing "
        "press; the Meiji Restoration; medieval guilds; the Suez crisis; Roman roads; the Dust Bowl",
        "understand why the harvest failed in 1816; compare two sources on the same battle; outline an essay "
        "on trade routes; remember dates for an exam; find the main causes of the First World War",
        "my sources contradict each other; the textbook skips the peasants altogether; my essay reads like "
        "a list; I mix up the dynasties",
        "Athens and Sparta; the Ottoman and the Habsburg empires; feudalism and manorialism; two letters "
        "from the same year",
        "a school class; a museum visitor; an exam candidate; a podcast audience; a ten-year-old",
    ),
    "physics": _domain(
        "entropy; the photoelectric effect; special relativity; standing waves; angular momentum; "
        "semiconductors; dark matter; buoyancy; the Doppler effect; superconductivity",
        "derive the period of a pendulum; picture four dimensions; measure g with a phone; estimate the "
        "energy in a thunderstorm; understand why ice floats; solve a problem with two pulleys",
        "my units don't come out; I get a negative mass; the formula sheet uses another sign; I don't see "
        "where the factor two comes from; the graph should be linear and isn't",
        "mass and weight; heat and temperature; a lens and a mirror; fission and fusion",
        "a curious adult; a first-year student; a pupil; an engineer; my grandfather",
    ),
    "biology": _domain(
        "natural selection; the Krebs cycle; gene expression; coral bleaching; the immune system; "
        "mitochondria; pollination; antibiotic resistance; bird migration; the nitrogen cycle",
        "memorise the stages of meiosis; read a phylogenetic tree; design an experiment with cress; "
        "identify a moth; understand how vaccines work; write a lab report",
        "the control group grew faster; my slides are blurry; the p-value is 0.06; I confuse DNA and RNA "
        "polymerase; the sample was contaminated",
        "plant and animal cells; viruses and bacteria; mitosis and meiosis; moss and lichen",
        "a nursing student; a biology teacher; a patient; a beekeeper; a twelve-year-old",
    ),
    "law": _domain(
        "notice periods; deposit rules; trademark basics; power of attorney; small claims; data protection "
        "requests; warranty law; non-compete clauses; inheritance; parking fines",
        "end a lease early; answer a debt collector; complain about a defective phone; read a liability "
        "clause; get a deposit back; register a small company; write a will",
        "the landlord ignores my letters; the contract renewed by itself; the seller refuses a refund; my "
        "employer changed the shifts; the builder left with the money",
        "a trademark and a patent; arbitration and a court; a loan and a gift; a contractor and an employee",
        "a tenant; a sole trader; the other party; a volunteer club; my aunt",
    ),
    "career": _domain(
        "salary negotiation; career changes; remote work; references; gaps in a CV; apprenticeships; burnout; "
        "performance reviews; networking; freelancing",
        "prepare for a panel interview; turn down an offer politely; ask for a raise; write a cover letter "
        "without clichés; explain a short stay; lead people who are older than me; give notice",
        "I get interviews but no offers; my manager takes credit for my work; the role isn't what was "
        "advertised; the recruiter stopped answering; I freeze when they ask about weaknesses",
        "a start-up and a ministry; two job offers; a certificate and a degree; part-time and full-time",
        "a career changer; a junior analyst; a returning mother; the hiring manager; a welder",
    ),
    "office": _domain(
        "meeting culture; project risks; onboarding; procurement; stakeholder maps; service levels; "
        "quarterly planning; internal newsletters; fire drills; desk sharing",
        "shorten a weekly report; chair a meeting that runs over; move a deadline without losing face; write "
        "minutes people read; plan an off-site for thirty; share out tasks fairly",
        "nobody reads the handover notes; the supplier missed the date twice; two departments want the same "
        "room; the budget was cut by a fifth; the spreadsheet has four versions",
        "email and chat; two suppliers; a weekly and a monthly report; a workshop and a survey",
        "the board; a new colleague; our supplier in Gdańsk; the facilities team; a difficult client",
    ),
    "marketing": _domain(
        "customer segments; brand voice; newsletter open rates; local search; price anchoring; product "
        "launches; loyalty cards; testimonials; seasonality; trade fairs",
        "name a bakery; launch a candle shop online; write a slogan for a bike repair service; win back lost "
        "customers; plan posts for a month; explain a price increase; describe handmade soap",
        "our ads get clicks but no sales; the reviews mention slow delivery; the logo looks dated; nobody "
        "opens the newsletter; a rival copied our offer",
        "two slogans; print and social media; a discount and a free gift; a blog and a podcast",
        "a yoga studio; busy parents; a hardware store; vegan customers; a village museum",
    ),
    "fiction": _domain(
        "unreliable narrators; pacing; dialogue tags; world building; haiku; heist plots; ghost stories; "
        "character arcs; free verse; chapter endings",
        "write a scene on a night ferry; start a story about a lighthouse keeper; rhyme without sounding "
        "childish; kill off a beloved character; describe rain in five ways; name a fantasy harbour town",
        "my villain has no motive; the middle drags; all my characters sound alike; the ending feels rushed; "
        "I keep switching tenses",
        "first and third person; a prologue and a flashback; a sonnet and a ballad; two opening lines",
        "my writing group; a nine-year-old; readers of crime novels; a stage actor; an editor",
    ),
    "games": _domain(
        "chess openings; dungeon design; resource management; speedrunning; card drafting; loot tables; "
        "co-operative board games; puzzle rooms; balance patches; pixel art",
        "beat the last boss without healing; design a puzzle around mirrors; run a first role-playing "
        "session; teach chess to kids; balance two factions; plan an evening of board games for eight",
        "my rogue dies in every fight; the party splits up all the time; I always lose the endgame; the "
        "frame rate drops in towns; the rules contradict the card",
        "the London and the Caro-Kann; a paladin and a cleric; two co-op games; turn-based and real-time",
        "a game master; new players; my brother; a tournament organiser; kids of eight to ten",
    ),
    "music": _domain(
        "the circle of fifths; polyrhythms; vocal warm-ups; equal temperament; mixing drums; sight reading; "
        "fingerpicking; modes; choir arrangements; microphone placement",
        "practise scales without boredom; write a bass line; transpose a song for alto voice; record an "
        "acoustic guitar; learn piano as an adult; set up a small PA",
        "my barre chords buzz; the mix sounds muddy; I rush every fill; my voice cracks above D; the choir "
        "goes flat by the third verse",
        "a ukulele and a guitar; tube and solid-state amps; major and minor pentatonic; two metronomes",
        "a singer; a school band; a self-taught drummer; a wedding duo; my cello teacher",
    ),
    "home": _domain(
        "damp walls; heat pumps; paint types; water hardness; loft insulation; circuit breakers; tile grout; "
        "window seals; smart thermostats; squeaky floors",
        "hang a shelf on plasterboard; unblock a shower drain; remove old wallpaper; fix a dripping tap; "
        "choose a boiler; soundproof a bedroom; sand a wooden floor",
        "the fuse trips when the oven is on; there's mould behind the wardrobe; the radiator is cold at the "
        "bottom; the door sticks in summer; the new paint peels",
        "a gas boiler and a heat pump; laminate and oak; a plumber and doing it myself; foam and wool",
        "a tenant; a first-time buyer; a handy pensioner; the housing association; my landlord",
    ),
    "cars": _domain(
        "regenerative braking; tyre pressure; timing belts; winter tyres; charging networks; towing; "
        "emission stickers; clutch wear; dash cams; used car checks",
        "change a headlight bulb; plan a long trip in an electric car; sell a car with high mileage; find "
        "out why it shakes at 110; remove rust; read a service history",
        "it won't start on damp mornings; the brake squeals in reverse; the warning light comes and goes; "
        "the battery dies after three days; the gearbox whines",
        "a hybrid and a diesel; a dealer and a private seller; all-season and winter tyres",
        "a learner driver; a delivery company; a commuter; my daughter; a mechanic's apprentice",
    ),
    "pets": _domain(
        "puppy socialisation; indoor cats; aquarium cycling; raw feeding; separation anxiety; parrot speech; "
        "senior dogs; flea control; rabbit housing; rescue animals",
        "stop a dog pulling on the lead; introduce a second cat; travel with a hamster; clip claws without "
        "drama; choose a first fish; calm a dog during fireworks",
        "she scratches the new sofa; he barks at bicycles; the water stays cloudy; the rabbit stopped "
        "eating hay; the kitten bites ankles",
        "a harness and a collar; dry and wet food; a goldfish and a betta; a breeder and a shelter",
        "a first-time owner; an elderly couple; my vet; a child with asthma; the dog sitter",
    ),
    "statistics": _domain(
        "Simpson's paradox; confidence intervals; the central limit theorem; logistic regression; missing "
        "data; Bayes' rule; effect sizes; survival curves; multicollinearity; bootstrap",
        "choose between a t-test and a rank test; report a regression table; plan a sample size; explain a "
        "p-value; detect outliers; combine two surveys; forecast monthly sales",
        "the residuals fan out; my R squared is 0.98 and I don't trust it; the categories overlap; the two "
        "raters disagree; the model predicts negative ages",
        "the mean and the median; random and fixed effects; correlation and causation; two charts",
        "a doctoral student; a nurse; the steering group; a journalist; a reviewer",
    ),
    "health": _domain(
        "sleep hygiene; blood pressure; iron deficiency; food labels; hay fever; back pain; vitamin D; "
        "migraine triggers; hearing loss; first aid",
        "prepare questions for a doctor's visit; eat more fibre; keep a symptom diary; understand a blood "
        "test; cut down on coffee; care for a sprained ankle; sleep through the night",
        "I'm tired all afternoon; the rash comes back each spring; my eyes sting at the screen; the tablets "
        "upset my stomach; my knee swells after stairs",
        "ibuprofen and paracetamol; a cold and the flu; two blood pressure cuffs; tea and coffee",
        "a shift worker; my mother; a diabetic; a first-aider; a teenager with migraine",
    ),
    "philosophy": _domain(
        "the trolley problem; stoicism; personal identity; free will; the social contract; falsifiability; "
        "virtue ethics; scepticism; the ship of Theseus; moral luck",
        "argue both sides of a thesis; define justice without a dictionary; read Kant and stay awake; find a "
        "counterexample to utilitarianism; lead a seminar discussion",
        "my argument is circular; I can't tell the two positions apart; the seminar goes quiet; the "
        "premise seems false; every example I find is a film",
        "determinism and fatalism; Plato and Aristotle; knowledge and belief; rules and consequences",
        "a sceptic; a discussion club; an undergraduate; a religious friend; my ethics class",
    ),
}  # fmt: skip
