"""Words of German and Spanish with their English. Knows nothing of grammar or sentences.

All are spelled in ASCII: that is what the synthesiser, the transcripts and the scorers of this
project are made for. Words with accents, umlauts or ß are left out rather than misspelled, and so
are forms that need one; a "-" says so. Most English words are those of `data.vocabulary`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from interplay.data.texts.languages.names import ADJECTIVES, NOUNS

# English: base, past, participle | German: infinitive, he, participle | Spanish: infinitive, he,
# participle | kinds of objects
_TRANSITIVE = """
buy bought bought | kaufen kauft gekauft | comprar compra comprado | tvfdai
sell sold sold | verkaufen verkauft verkauft | vender vende vendido | tvfdai
visit visited visited | besuchen besucht besucht | visitar visita visitado | pl
repair repaired repaired | reparieren repariert repariert | reparar repara reparado | vi
clean cleaned cleaned | putzen putzt geputzt | limpiar limpia limpiado | tv
build built built | bauen baut gebaut | construir construye construido | lv
draw drew drawn | zeichnen zeichnet gezeichnet | dibujar dibuja dibujado | tvanl
paint painted painted | malen malt gemalt | pintar pinta pintado | tvanl
find found found | finden findet gefunden | encontrar encuentra encontrado | tfx
lose lost lost | verlieren verliert verloren | perder pierde perdido | tx
forget forgot forgotten | vergessen vergisst vergessen | olvidar olvida olvidado | tx
need needed needed | brauchen braucht gebraucht | necesitar necesita necesitado | tvfd
bring brought brought | bringen bringt gebracht | - | tfd
carry carried carried | - | llevar lleva llevado | tf
see saw seen | sehen sieht gesehen | ver ve visto | tvlnp
eat ate eaten | essen isst gegessen | comer come comido | f
drink drank drunk | trinken trinkt getrunken | beber bebe bebido | d
write wrote written | schreiben schreibt geschrieben | escribir escribe escrito | x
cook cooked cooked | kochen kocht gekocht | cocinar cocina cocinado | f
wash washed washed | - | lavar lava lavado | tv
play played played | spielen spielt gespielt | tocar toca tocado | i
love loved loved | lieben liebt geliebt | amar ama amado | p
know knew known | kennen kennt gekannt | conocer conoce conocido | pl
watch watched watched | beobachten beobachtet beobachtet | observar observa observado | np
call called called | rufen ruft gerufen | llamar llama llamado | p
push pushed pushed | schieben schiebt geschoben | empujar empuja empujado | tv
pull pulled pulled | ziehen zieht gezogen | - | v
break broke broken | - | romper rompe roto | t
throw threw thrown | werfen wirft geworfen | lanzar lanza lanzado | tf
cut cut cut | schneiden schneidet geschnitten | cortar corta cortado | f
hide hid hidden | verstecken versteckt versteckt | esconder esconde escondido | tfx
share shared shared | teilen teilt geteilt | compartir comparte compartido | fd
take took taken | nehmen nimmt genommen | tomar toma tomado | tfd
get got got | bekommen bekommt bekommen | recibir recibe recibido | tx
understand understood understood | verstehen versteht verstanden | entender entiende entendido | xp
describe described described | beschreiben beschreibt beschrieben | describir describe - | lxp
use used used | benutzen benutzt benutzt | usar usa usado | tv
lift lifted lifted | heben hebt gehoben | levantar levanta levantado | t
open opened opened | - | abrir abre abierto | o
close closed closed | - | cerrar cierra cerrado | o
follow followed followed | - | seguir sigue seguido | pv
remember remembered remembered | - | recordar recuerda recordado | x
help helped helped | - | ayudar ayuda ayudado | p
invite invited invited | - | invitar invita invitado | p
explain explained explained | - | explicar explica explicado | x
choose chose chosen | - | elegir elige elegido | tf
plant planted planted | pflanzen pflanzt gepflanzt | plantar planta plantado | g
look-for looked-for looked-for | suchen sucht gesucht | buscar busca buscado | tfxp
"""
# The same with the kinds of subjects; German participles with + go with "sein"
_INTRANSITIVE = """
sing sang sung | singen singt gesungen | cantar canta cantado | p
dance danced danced | tanzen tanzt getanzt | bailar baila bailado | p
swim swam swum | schwimmen schwimmt geschwommen+ | nadar nada nadado | pa
jump jumped jumped | springen springt gesprungen+ | saltar salta saltado | pa
run ran run | rennen rennt gerannt+ | correr corre corrido | pa
work worked worked | arbeiten arbeitet gearbeitet | trabajar trabaja trabajado | p
wait waited waited | warten wartet gewartet | esperar espera esperado | pa
live lived lived | leben lebt gelebt | vivir vive vivido | pa
play played played | spielen spielt gespielt | jugar juega jugado | pa
cry cried cried | weinen weint geweint | llorar llora llorado | p
laugh laughed laughed | lachen lacht gelacht | - | p
walk walked walked | - | caminar camina caminado | pa
sleep slept slept | - | dormir duerme dormido | pa
sit sat sat | sitzen sitzt gesessen | - | pa
stand stood stood | stehen steht gestanden | - | pa
learn learned learned | lernen lernt gelernt | aprender aprende aprendido | p
study studied studied | studieren studiert studiert | estudiar estudia estudiado | p
"""
# When, and whether it goes with what is (+), what was (-), or both (+-)
_TIMES = """
today +- | heute | hoy
now + | jetzt | ahora
tonight + | heute abend | esta noche
yesterday - | gestern | -
last week - | letzte woche | -
last year - | letztes jahr | -
this week +- | diese woche | esta semana
this month +- | diesen monat | este mes
often + | oft | a menudo
sometimes + | manchmal | a veces
soon + | bald | pronto
on monday +- | am montag | el lunes
on tuesday +- | am dienstag | el martes
on wednesday +- | am mittwoch | -
on thursday +- | am donnerstag | el jueves
on friday +- | am freitag | el viernes
on saturday +- | am samstag | -
on sunday +- | am sonntag | el domingo
every week + | jede woche | cada semana
every month + | jeden monat | cada mes
every night + | jede nacht | cada noche
in the summer +- | im sommer | en verano
in the winter +- | im winter | en invierno
in the morning +- | am morgen | -
in the evening +- | am abend | -
"""
_PLACES = """
in the forest | im wald | en el bosque
at the market | auf dem markt | en el mercado
in the school | in der schule | en la escuela
in the village | im dorf | en el pueblo
in the kitchen | - | en la cocina
in the garden | im garten | -
in the library | in der bibliothek | en la biblioteca
in the hospital | im krankenhaus | en el hospital
in the theatre | im theater | en el teatro
in the museum | im museum | en el museo
at the station | am bahnhof | -
at the airport | am flughafen | en el aeropuerto
in the castle | im schloss | en el castillo
on the island | auf der insel | en la isla
in the tower | im turm | en la torre
in the city | in der stadt | en la ciudad
in the street | - | en la calle
in the house | im haus | en la casa
in the office | - | en la oficina
in the factory | in der fabrik | -
in london | in london | en londres
in vienna | in wien | en viena
in moscow | in moskau | -
in tokyo | in tokio | en tokio
"""
_NUMBERS = """
two | zwei | dos
three | drei | tres
four | vier | cuatro
five | - | cinco
six | sechs | seis
seven | sieben | siete
eight | acht | ocho
nine | neun | nueve
ten | zehn | diez
"""
LANGUAGES = ("german", "spanish")


@dataclass(frozen=True, kw_only=True)
class Word:
    """One entry in one language. english: its forms; of verbs base, past, participle. kinds: of
    what it is or goes with. forms: in the other language, as in the tables."""

    english: tuple[str, ...]
    kinds: str
    forms: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Lexicon:
    """All that one language has."""

    nouns: list[Word] = field(default_factory=list)
    adjectives: list[Word] = field(default_factory=list)
    transitive: list[Word] = field(default_factory=list)
    intransitive: list[Word] = field(default_factory=list)
    times: list[Word] = field(default_factory=list)
    places: list[Word] = field(default_factory=list)
    numbers: list[Word] = field(default_factory=list)

    def all(self) -> list[Word]:
        lists = (self.nouns, self.adjectives, self.transitive, self.intransitive)
        return [word for words in (*lists, self.times, self.places, self.numbers) for word in words]


def _rows(table: str, language: str) -> Iterator[tuple[list[str], str, list[str]]]:
    """English words, kinds behind the last bar, forms, of every row that the language has."""
    for row in table.strip().splitlines():
        english, *columns = (column.strip() for column in row.split("|"))
        forms = columns[LANGUAGES.index(language)].split()
        if forms != ["-"]:
            yield english.split(), "".join(columns[2:]), forms


def lexicon(language: str) -> Lexicon:
    """The words of one of LANGUAGES."""
    found = Lexicon()
    for table, words in ((NOUNS, found.nouns), (ADJECTIVES, found.adjectives)):
        for (english, kinds), _, forms in _rows(table, language):
            words.append(Word(english=(english,), kinds=kinds, forms=tuple(forms)))
    for table, words in (
        (_TRANSITIVE, found.transitive),
        (_INTRANSITIVE, found.intransitive),
    ):
        for english, kinds, forms in _rows(table, language):
            shown = tuple(form.replace("-", " ") for form in english)
            words.append(Word(english=shown, kinds=kinds, forms=tuple(forms)))
    for (*english, tenses), _, forms in _rows(_TIMES, language):
        found.times.append(
            Word(english=(" ".join(english),), kinds=tenses, forms=(" ".join(forms),))
        )
    for table, words in ((_PLACES, found.places), (_NUMBERS, found.numbers)):
        for english, _, forms in _rows(table, language):
            words.append(Word(english=(" ".join(english),), kinds="", forms=(" ".join(forms),)))
    return found
