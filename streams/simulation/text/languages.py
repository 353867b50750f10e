# ruff: noqa: E501 - a line holds one sentence of a grammar
"""The same conversations in other languages: German, Spanish, French, Portuguese, Russian, Chinese.

Each set defines ``first`` and ``follow``, like `english.chat`. They are smaller than the English one:
about a third of the simulated people use them.
"""

from __future__ import annotations

from functools import cache

from streams.simulation.text.english import SHARED
from streams.simulation.text.grammar import Grammar, Rules, lines, phrases

LANGUAGES: dict[str, Rules] = {
    "de": {
        "first": lines("""
            wie kann ich <do>?
            <context> wie kann ich am besten <do>?
            erkläre mir bitte <topic> in einfachen Worten.
            was ist eigentlich der Unterschied zwischen <topic> und <topic>?
            <context> <trouble> was kann ich tun?
            <trouble> woran liegt das?
            schreib mir <format> über <topic>.
            schreib <format> an <who>: <trouble>
            nenne mir <n> Tipps, um <zu>.
            kannst du einen Plan für <n> Wochen machen? Ziel: <zu>.
            <context> lohnt es sich, <zu>?
            <paste>\\n\\n<text> <text> <text>
            <text> <text> <text> <text>\\n\\n<paste>
        """),
        "follow": lines("""
            danke! und wie kann ich dabei <do>?
            kürzer bitte.
            das verstehe ich nicht, was hat das mit <topic> zu tun?
            ok, aber <trouble>
            mach <format> daraus.
            und für <who>?
            gib mir ein Beispiel zu <topic>.
            bist du sicher?
        """),
        "context": lines("""
            ich wohne zur Miete und habe <n>00 Euro.
            es ist für <who>.
            bis <weekday> muss es fertig sein.
            letztes Jahr hat es nicht geklappt.
            ich bin Anfänger.
            bei uns geht es gerade um <topic>.
        """),
        "do": phrases(
            "Brot ohne Maschine backen; meine Steuererklärung vorbereiten; Gitarre lernen; den Keller trocken "
            "bekommen; ein Vorstellungsgespräch üben; mit dem Zug nach Lissabon fahren; Statistik verstehen; "
            "einen Verein gründen; Tomaten auf dem Balkon ziehen; besser schlafen"
        ),
        "zu": phrases(
            "früher aufzustehen; Strom zu sparen; eine Rede vorzubereiten; Vokabeln zu behalten; günstig zu "
            "reisen; einen Garten anzulegen; Streit im Team zu lösen; fünf Kilometer zu laufen"
        ),
        "topic": phrases(
            "Photosynthese; den Föderalismus; Wärmepumpen; die Weimarer Republik; Zinseszins; Sauerteig; die "
            "Relativitätstheorie; Mietrecht; Kommaregeln; Quantenmechanik; Nachhaltigkeit; Versicherungen"
        ),
        "trouble": lines("""
            mein Vermieter reagiert nicht auf Briefe.
            die Heizung wird nur oben warm.
            der Teig geht nicht auf.
            ich werde nachts ständig wach.
            die Rechnung ist doppelt so hoch wie im Angebot.
            mein Fahrrad macht beim Treten Geräusche.
            der Drucker wird nicht mehr erkannt.
        """),
        "format": phrases("eine kurze E-Mail; ein Gedicht; eine Checkliste; einen Brief; eine Rede; ein Quiz"),
        "who": phrases("meine Chefin; die Hausverwaltung; einen Kunden; meine Großeltern; die Klasse 7b"),
        "weekday": phrases("Montag; Dienstag; Mittwoch; Donnerstag; Freitag"),
        "n": ["3", "4", "5", "7", "10", "12"],
        "paste": lines("""
            fasse zusammen:
            bitte kürzen und freundlicher formulieren:
            was fehlt in diesem Text?
            korrigiere die Fehler
            übersetze das ins Englische:
        """),
        "text": lines("""
            <name> hat am <weekday> angerufen und nach <topic> gefragt.
            Laut <name> sind es <n> Prozent mehr als im Vorjahr.
            Ab <weekday> übernimmt <name> die Kasse.
            Im Frühjahr haben wir den Saal renoviert und <n>0 neue Stühle bestellt.
            Bis <weekday> brauchen wir eine Rückmeldung.
            Die Kosten lagen <n> Prozent über dem Plan.
            Leider hat sich niemand um <topic> gekümmert.
            Ich schlage vor, das Thema noch einmal zu besprechen.
            Viele haben gefragt, ob der Termin verschoben wird.
        """),
    },
    "es": {
        "first": lines("""
            ¿cómo puedo <do>?
            <context> ¿cuál es la mejor manera de <do>?
            explícame <topic> con palabras sencillas.
            ¿qué diferencia hay entre <topic> y <topic>?
            <trouble> ¿qué hago?
            <context> <trouble> ¿es normal?
            escribe <format> sobre <topic>.
            necesito <format> para <who>, que explique cómo <do>.
            dame <n> ideas para <do>.
            haz un plan de <n> semanas para <do>.
            ¿vale la pena <do> si <context>
            <paste>\\n\\n<text> <text> <text>
            <text> <text> <text> <text>\\n\\n<paste>
        """),
        "follow": lines("""
            gracias, ¿y para <do>?
            más corto, por favor.
            no entiendo lo de <topic>.
            ¿y si <trouble>
            conviértelo en <format>.
            ponme un ejemplo de <topic>.
            ¿seguro?
            ahora lo mismo para <who>.
        """),
        "context": lines("""
            vivo en un piso pequeño.
            tengo unos <n>0 euros.
            es para <who>.
            lo necesito antes del <weekday>.
            no sé nada de <topic>.
            el año pasado no me salió bien.
        """),
        "do": phrases(
            "aprender a nadar; preparar una entrevista; ahorrar para un viaje; cocinar para doce personas; "
            "organizar una mudanza; escribir un cuento; cuidar un limonero; montar una tienda en línea; estudiar "
            "para las oposiciones; bajar la tensión; arreglar un grifo"
        ),
        "topic": phrases(
            "la inflación; la fotosíntesis; el Siglo de Oro; el subjuntivo; las placas solares; la Guerra "
            "Civil; los contratos de alquiler; el flamenco; la estadística; los volcanes; el colesterol"
        ),
        "trouble": lines("""
            el casero no me devuelve la fianza.
            la masa no sube.
            mi hijo no quiere dormir solo.
            me duele la rodilla al correr.
            el vuelo se canceló y nadie responde.
            la lavadora pierde agua.
            mi jefe cambia los turnos cada semana.
        """),
        "format": phrases("un correo; un poema; una lista; una carta; un guion corto; un resumen"),
        "who": phrases("mi abuela; la comunidad de vecinos; un cliente; mis alumnos; una amiga"),
        "weekday": phrases("lunes; martes; miércoles; jueves; viernes"),
        "n": ["3", "4", "5", "6", "8", "10"],
        "paste": lines("""
            resume en tres frases:
            corrige este texto:
            hazlo más amable:
            ¿qué falta aquí?
            tradúcelo al inglés
        """),
        "text": lines("""
            <name> llamó el <weekday> y preguntó por <topic>.
            Según <name>, son <n> por ciento más que el año pasado.
            <name> se encarga desde el <weekday>.
            En la reunión del <weekday> hablamos de <topic>.
            Los gastos subieron un <n> por ciento.
            Nadie contestó al primer aviso.
            Propongo repetir la encuesta en otoño.
            Al final llegaron <n>0 personas más de las previstas.
            Queda pendiente decidir quién lo paga.
        """),
    },
    "fr": {
        "first": lines("""
            comment <do> ?
            <context> comment faire pour <do> ?
            explique-moi <topic> simplement.
            quelle est la différence entre <topic> et <topic> ?
            <trouble> que faire ?
            <context> <trouble> est-ce grave ?
            rédige <format> sur <topic>.
            écris <format> à <who> : <trouble>
            donne-moi <n> idées pour <do>.
            propose un programme sur <n> semaines pour <do>.
            <paste>\\n\\n<text> <text> <text>
            <text> <text> <text> <text>\\n\\n<paste>
        """),
        "follow": lines("""
            merci, et pour <do> ?
            plus court s'il te plaît.
            je ne comprends pas le rapport avec <topic>.
            et si <trouble>
            fais-en <format>.
            un exemple avec <topic> ?
            tu es sûr ?
            la même chose pour <who>.
        """),
        "context": lines("""
            je suis débutant.
            j'ai <n>00 euros et peu de temps.
            c'est pour <who>.
            il me le faut pour <weekday>.
            nous habitons à la campagne.
            j'ai déjà lu sur <topic>.
        """),
        "do": phrases(
            "apprendre le piano à quarante ans; réussir une béchamel; isoler les combles; préparer un oral; "
            "réduire mes factures; courir dix kilomètres; organiser un mariage simple; ouvrir un café; "
            "soigner un olivier; voyager sans avion; écrire une nouvelle"
        ),
        "topic": phrases(
            "la Révolution; les marées; l'inflation; le subjonctif; les pompes à chaleur; la photosynthèse; le "
            "bail; Camus; les probabilités; le levain; la sécurité sociale; les volcans d'Auvergne"
        ),
        "trouble": lines("""
            le propriétaire garde la caution.
            la pâte colle toujours.
            mon vélo grince en montée.
            le train a été supprimé et on refuse de me rembourser.
            je dors mal depuis un mois.
            la chaudière s'éteint la nuit.
            mon dossier est bloqué depuis mars.
        """),
        "format": phrases("un courriel; un poème; une liste; une lettre; un discours; un article de blog"),
        "who": phrases("ma voisine; le syndic; un client; mes élèves; ma cheffe"),
        "weekday": phrases("lundi; mardi; mercredi; jeudi; vendredi"),
        "n": ["3", "4", "5", "6", "8", "10"],
        "paste": lines("""
            corrige les fautes :
            résume ce texte pour <who> :
            rends-le plus poli :
            que manque-t-il ?
            traduis en anglais
        """),
        "text": lines("""
            <name> a appelé <weekday> au sujet du dossier.
            D'après <name>, c'est <n> pour cent de plus que l'an dernier.
            <name> prend le relais dès <weekday>.
            La réunion de <weekday> portait sur <topic>.
            Les dépenses ont augmenté de <n> pour cent.
            Personne n'a répondu au premier message.
            Je propose de revoir le calendrier.
            Il manque encore <n> inscriptions.
            Le choix dépendra du budget.
        """),
    },
    "pt": {
        "first": lines("""
            como posso <do>?
            <context> qual é a melhor forma de <do>?
            explique <topic> de um jeito simples.
            qual a diferença entre <topic> e <topic>?
            <trouble> o que eu faço?
            <context> <trouble> isso é normal?
            escreva <format> sobre <topic>.
            preciso de <format> para <who>, explicando como <do>.
            me dê <n> ideias para <do>.
            monte um plano de <n> semanas para <do>.
            <paste>\\n\\n<text> <text> <text>
            <text> <text> <text> <text>\\n\\n<paste>
        """),
        "follow": lines("""
            obrigado! e como <do>?
            mais curto, por favor.
            não entendi a parte de <topic>.
            e se <trouble>
            transforme em <format>.
            dê um exemplo com <topic>.
            tem certeza?
            agora para <who>.
        """),
        "context": lines("""
            moro num apartamento pequeno.
            tenho uns <n>00 reais.
            é para <who>.
            preciso até <weekday>.
            sou iniciante.
            já li um pouco sobre <topic>.
        """),
        "do": phrases(
            "fazer pão em casa; estudar para o vestibular; abrir uma lanchonete; aprender violão; economizar "
            "na conta de luz; plantar temperos; preparar uma apresentação; viajar gastando pouco; correr cinco "
            "quilômetros; escrever um conto"
        ),
        "topic": phrases(
            "a inflação; a fotossíntese; a crase; os juros compostos; a Mata Atlântica; energia solar; a "
            "Independência; o choro; probabilidade; direito do consumidor; o sistema imune"
        ),
        "trouble": lines("""
            a loja não devolve o dinheiro.
            meu bolo sempre murcha.
            o joelho dói quando desço escada.
            o voo foi cancelado de novo.
            a internet cai toda noite.
            meu filho não larga o celular.
        """),
        "format": phrases("um e-mail; um poema; uma lista; uma carta; um roteiro curto; um resumo"),
        "who": phrases("minha mãe; o síndico; um cliente; meus alunos; a equipe"),
        "weekday": phrases("segunda; terça; quarta; quinta; sexta"),
        "n": ["3", "4", "5", "6", "8", "10"],
        "paste": lines("""
            revise o texto:
            resuma em duas frases:
            deixe mais educado:
            o que falta aqui?
            traduza para o inglês
        """),
        "text": lines("""
            <name> ligou na <weekday> e perguntou sobre <topic>.
            Segundo <name>, são <n> por cento a mais que no ano passado.
            <name> assume a partir de <weekday>.
            Na reunião de <weekday> falamos sobre <topic>.
            O custo subiu <n> por cento.
            Ninguém respondeu ao primeiro aviso.
            Sugiro repetir a pesquisa.
            Faltam <n> inscrições.
        """),
    },
    "ru": {
        "first": lines("""
            как <do>?
            <context> как лучше <do>?
            объясни простыми словами, что такое <topic>.
            чем отличаются <topic> и <topic>?
            <trouble> что делать?
            <context> <trouble> это опасно?
            напиши <format> на тему «<topic>».
            составь план на <n> недель, чтобы <do>.
            дай <n> советов, как <do>.
            <paste>\\n\\n<text> <text> <text>
            <text> <text> <text> <text>\\n\\n<paste>
        """),
        "follow": lines("""
            спасибо, а как <do>?
            короче, пожалуйста.
            не понял про «<topic>».
            а если <trouble>
            сделай из этого <format>.
            приведи пример.
            точно?
        """),
        "context": lines("""
            я новичок.
            у меня <n>000 рублей.
            времени мало, нужно к <weekday>.
            это для <who>.
            в прошлом году не получилось.
        """),
        "do": phrases(
            "выучить стихотворение; испечь ржаной хлеб; подготовиться к собеседованию; починить кран; начать "
            "бегать; вырастить лимон из косточки; написать заявление; разобраться в статистике; сделать ремонт"
        ),
        "topic": phrases(
            "инфляция; фотосинтез; теория вероятностей; ипотека; причастный оборот; тепловой насос; "
            "Серебряный век; иммунитет; сложные проценты; вулканы"
        ),
        "trouble": lines("""
            сосед сверху затопил кухню.
            тесто не поднимается.
            болит спина после работы.
            посылку не доставили.
            ноутбук выключается сам.
            ребёнок не хочет читать.
        """),
        "format": phrases("письмо; стихотворение; список; короткий рассказ; объявление; речь"),
        "who": phrases("бабушки; клиента; класса; начальника; подруги"),
        "weekday": phrases("понедельнику; вторнику; среде; четвергу; пятнице"),
        "n": ["3", "4", "5", "6", "8"],
        "paste": lines("""
            исправь ошибки:
            сократи до двух предложений:
            перепиши вежливее:
            чего не хватает в тексте?
            переведи на английский
        """),
        "text": lines("""
            <name> звонит к <weekday> и спрашивает про «<topic>».
            По словам <name>, это на <n> процентов больше, чем год назад.
            <name> берёт это на себя.
            На встрече говорили про «<topic>».
            Расходы выросли на <n> процентов.
            Никто не ответил на первое письмо.
            Предлагаю перенести срок.
            Осталось решить, кто платит.
        """),
    },
    "zh": {
        "first": lines("""
            怎么<do>？
            <context>怎样才能更好地<do>？
            请用简单的话解释一下<topic>。
            <topic>和<topic>有什么区别？
            <trouble>怎么办？
            <context><trouble>严重吗？
            写<format>，主题是<topic>。
            给我<n>个建议，帮我<do>。
            帮我做一个<n>周的计划，目标是<do>。
            <paste>\\n\\n<text><text><text>
            <text><text><text><text>\\n\\n<paste>
        """),
        "follow": lines("""
            谢谢，那怎么<do>？
            短一点。
            <topic>那部分我没看懂。
            如果<trouble>呢？
            改成<format>。
            举个<topic>的例子。
            你确定吗？
            继续
        """),
        "context": lines("""
            我是初学者，
            预算只有<n>00元，
            这是给<who>的，
            <weekday>之前要完成，
            我们住在小城市，
        """),
        "do": phrases(
            "学游泳; 准备面试; 做红烧肉; 养多肉植物; 写辞职信; 提高睡眠质量; 装修小户型; 学好统计学; 策划一次周末旅行; "
            "教孩子写字; 控制血压; 选一台相机"
        ),
        "topic": phrases("通货膨胀; 光合作用; 唐代诗歌; 概率论; 租房合同; 新能源汽车; 免疫系统; 复利; 量子力学; 二十四节气"),
        "trouble": lines("""
            房东不退押金，
            面团总是发不起来，
            最近老是失眠，
            快递丢了没人管，
            孩子不爱吃青菜，
            电脑开机很慢，
        """),
        "format": phrases("一封邮件; 一首小诗; 一份清单; 一篇短文; 一段演讲稿; 一个通知"),
        "who": phrases("奶奶; 客户; 学生; 老板; 同事"),
        "weekday": phrases("周一; 周二; 周三; 周四; 周五"),
        "n": ["三", "四", "五", "六", "八", "十"],
        "paste": lines("""
            请润色下面的文字：
            把这段话总结成三句：
            改得更礼貌一些：
            这段话还缺什么？
            翻译成英文
        """),
        "text": lines("""
            <name><weekday>打电话问了<topic>的事。
            据<name>说，比去年多了百分之<n>。
            <name>从<weekday>开始接手。
            上周的会议讨论了<topic>。
            成本比去年上涨了百分之<n>。
            目前还没有人回复。
            建议推迟到<weekday>。
            还差<n>个名额。
        """),
    },
}  # fmt: skip


@cache
def chat(language: str) -> Grammar:
    """Grammar of conversation in that language of `LANGUAGES`; symbols ``first`` and ``follow``."""
    return Grammar(SHARED, LANGUAGES[language])
