"""Tables of nouns and adjectives in English, German and Spanish; see lexicon.py. Nothing else."""

# Kinds of things, one letter each: p people, a animals, l places, n nature, g plants, t things,
# v vehicles, i instruments, o what opens, f food, d drinks, x what is said or thought.
# *: what is not counted and has no plural.
# English | German: article, noun, plural | Spanish: article, noun (its plural is regular)
NOUNS = """
house lo | das haus - | la casa
bird a | der vogel - | -
cat a | die katze katzen | el gato
dog a | der hund hunde | el perro
tree gn | der baum - | -
bed t | das bett betten | la cama
apple f | der apfel - | la manzana
bottle to | die flasche flaschen | la botella
table t | der tisch tische | la mesa
chair t | der stuhl - | la silla
window o | das fenster fenster | la ventana
door o | - | la puerta
garden l | der garten - | -
river n | der fluss - | -
mountain n | der berg berge | -
forest n | der wald - | el bosque
castle l | das schloss - | el castillo
bridge l | - | el puente
market l | der markt - | el mercado
kitchen l | - | la cocina
village l | das dorf - | el pueblo
island n | die insel inseln | la isla
desert n | - | el desierto
station l | der bahnhof - | -
airport l | der flughafen - | el aeropuerto
hospital l | das krankenhaus - | el hospital
library l | die bibliothek bibliotheken | la biblioteca
school l | die schule schulen | la escuela
theatre l | das theater theater | el teatro
museum l | das museum museen | el museo
office l | - | la oficina
factory l | die fabrik fabriken | -
tower l | der turm - | la torre
car v | das auto autos | el coche
bus v | der bus busse | el bus
train v | der zug - | el tren
bicycle v | das fahrrad - | la bicicleta
boat v | das boot boote | el barco
plane v | das flugzeug flugzeuge | -
rocket v | die rakete raketen | el cohete
truck v | der lastwagen lastwagen | -
horse a | das pferd pferde | el caballo
rabbit a | das kaninchen kaninchen | el conejo
tiger a | der tiger tiger | el tigre
monkey a | - | el mono
eagle a | der adler adler | -
spider a | die spinne spinnen | -
butterfly a | der schmetterling schmetterlinge | la mariposa
mouse a | die maus - | -
chicken a | das huhn - | el pollo
sheep a | das schaf schafe | la oveja
fox a | der fuchs - | el zorro
snake a | die schlange schlangen | la serpiente
frog a | der frosch - | la rana
crow a | - | el cuervo
elephant a | - | el elefante
fish a | der fisch fische | el pez
bread f* | das brot - | el pan
butter f* | die butter - | la mantequilla
cheese f* | - | el queso
sugar f* | der zucker - | -
pepper f* | der pfeffer - | la pimienta
honey f* | der honig - | la miel
chocolate f* | die schokolade - | el chocolate
coffee d* | der kaffee - | -
water d* | das wasser - | el agua!
juice d* | der saft - | el jugo
milk d* | die milch - | la leche
wine d* | der wein - | el vino
tea d* | der tee - | -
potato f | die kartoffel kartoffeln | la patata
onion f | die zwiebel zwiebeln | la cebolla
sandwich f | - | el bocadillo
dinner f | das abendessen - | la cena
soup f | die suppe suppen | la sopa
cake f | der kuchen kuchen | la tarta
egg f | das ei eier | el huevo
banana f | die banane bananen | la banana
lemon f | die zitrone zitronen | -
carrot f | die karotte karotten | la zanahoria
tomato f | die tomate tomaten | el tomate
pumpkin f | - | la calabaza
cherry f | die kirsche kirschen | la cereza
doctor p | der arzt - | el doctor
teacher p | der lehrer lehrer | el maestro
farmer p | der landwirt landwirte | el campesino
writer p | der schriftsteller schriftsteller | el escritor
driver p | der fahrer fahrer | el conductor
king p | - | el rey
queen p | - | la reina
brother p | der bruder - | el hermano
sister p | die schwester schwestern | la hermana
mother p | die mutter - | la madre
father p | der vater - | el padre
friend p | der freund freunde | el amigo
uncle p | der onkel onkel | -
aunt p | die tante tanten | -
woman p | die frau frauen | la mujer
child p | das kind kinder | -
girl p | - | la chica
neighbour p | - | el vecino
cook p | der koch - | el cocinero
painter p | der maler maler | el pintor
picture t | das bild bilder | el cuadro
letter x | der brief briefe | la carta
number x | die zahl zahlen | -
pencil t | der bleistift bleistifte | -
camera t | die kamera kameras | -
computer t | der computer computer | la computadora
telephone t | das telefon telefone | -
television t | der fernseher fernseher | el televisor
radio t | das radio radios | la radio
hammer t | der hammer - | el martillo
ladder t | die leiter leitern | la escalera
carpet t | der teppich teppiche | la alfombra
mirror t | der spiegel spiegel | el espejo
candle t | die kerze kerzen | la vela
clock t | die uhr uhren | el reloj
key t | - | la llave
button t | der knopf - | -
jacket t | die jacke jacken | la chaqueta
shirt t | das hemd hemden | la camisa
hat t | der hut - | el sombrero
coat t | der mantel - | el abrigo
shoe t | der schuh schuhe | el zapato
umbrella t | der regenschirm regenschirme | el paraguas
ring t | der ring ringe | el anillo
book t | das buch - | el libro
bag to | die tasche taschen | la bolsa
cup t | die tasse tassen | la taza
knife t | das messer messer | el cuchillo
plate t | der teller teller | el plato
lamp t | die lampe lampen | -
newspaper t | die zeitung zeitungen | -
story x | die geschichte geschichten | la historia
question x | die frage fragen | la pregunta
answer x | die antwort antworten | la respuesta
problem x | das problem probleme | el problema
idea x | die idee ideen | la idea
city l | die stadt - | la ciudad
street l | - | la calle
shop lo | der laden - | la tienda
guitar i | die gitarre gitarren | la guitarra
piano i | das klavier klaviere | el piano
moon n | der mond - | la luna
star n | der stern sterne | la estrella
sky n | der himmel - | el cielo
fire n | das feuer feuer | el fuego
flower gn | die blume blumen | la flor
ocean n | der ozean - | -
cloud n | die wolke wolken | la nube
rainbow n | der regenbogen - | -
"""
# English, kinds | German, its stem if another | Spanish; of Spanish ones ! is what lasts not (estar
# would have an accent: it is not said of things with "es") and % what has no regular plural
ADJECTIVES = """
red tvf | rot | rojo
yellow tvf | gelb | amarillo
green tvf | - | verde
blue tvi | blau | azul
brown tva | braun | -
black tvai | schwarz | negro
white tval | - | blanco
grey tva | grau | gris
purple t | - | morado
big tvlaf | - | grande
small tvlapf | klein | -
old tvlapi | alt | viejo
young pa | jung | joven%
new tvli | neu | nuevo
hot fd | - | caliente!
cold fd | kalt | -
warm fd | warm | -
wet ta | nass | mojado!
dry t | trocken | seco!
fast v | schnell | -
slow va | langsam | lento
happy p | froh | feliz!
sad pa | traurig | triste!
angry pa | zornig | enojado!
tired pa | - | cansado!
hungry pa | hungrig | hambriento!
thirsty pa | durstig | sediento!
busy p | - | ocupado!
sick pa | krank | enfermo!
clever pa | klug | listo!
funny px | lustig | divertido
brave pa | mutig | valiente
lazy pa | faul | perezoso
friendly p | freundlich | amable
rich p | reich | rico
poor p | arm | -
famous pl | - | famoso
wonderful xlf | wunderbar | maravilloso
beautiful tlni | - | hermoso
terrible x | schrecklich | terrible
strange xta | seltsam | raro
simple x | einfach | sencillo
heavy t | schwer | pesado
golden t | golden | dorado
broken tvi | kaputt | roto!
hidden tl | versteckt | escondido!
empty l | leer | -
full l | voll | lleno!
perfect xf | perfekt | perfecto
dangerous avn | - | peligroso
important px | wichtig | importante
different x | - | diferente
expensive tvif | teuer teur | caro
cheap tvif | billig | barato
dark l | dunkel dunkl | oscuro
hard f | hart | duro
soft f | weich | blando
loud pvi | laut | ruidoso
quiet pl | ruhig | tranquilo
high ln | hoch hoh | alto
low l | niedrig | bajo
long x | lang | largo
short x | kurz | corto
thick t | dick | grueso
thin t | - | delgado
good xpf | gut | bueno
bad xf | schlecht | malo
clean tvl | sauber | limpio!
dirty tvl | schmutzig | sucio!
sweet f | - | dulce
sour f | sauer saur | agrio
fresh fd | frisch | fresco
smooth t | glatt | liso
round t | rund | redondo
open o | offen | abierto!
closed o | geschlossen | cerrado!
"""
