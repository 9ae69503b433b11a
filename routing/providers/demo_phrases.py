"""The templates of the demo provider's texts, by language and kind of question; data only."""

ENGLISH = {
    "greet": (
        "Hello! I am the demo provider, so nothing here leaves your machine and no key is needed. Ask me anything and watch "
        "the answer stream in.",
        "Hi there! Good to see a request arrive. I answer from a small box of prepared texts, at the pace of a real model. "
        "What would you like to try?",
    ),
    "thanks": (
        "You are welcome! Your thanks were counted too, by the way: have a look at the request in the dashboard.",
        "Glad it helped. Whenever you are ready, a real provider is one key away.",
    ),
    "who": (
        "I am the built-in demo provider of this gateway. I stream prepared answers with realistic timing and usage, so that "
        "you can try keys, budgets and dashboards before you connect a real model.",
    ),
    "haiku": (
        "Tokens drift like snow,\neach one counted as it falls:\nthe ledger sleeps well.",
        "A quiet gateway,\nrequests passing in the night.\nMorning: all sums match.",
        "Old key on its hook,\na budget blooms, then closes.\nSpring opens the next.",
    ),
    "story": (
        "You asked for “{topic}”. Here is a short one.\n\nOn the edge of a harbour town lived a gatekeeper who counted every "
        "boat. She knew the small grey ones that came for salt and the tall white ones that came for news. One autumn a fog "
        "rolled in and stayed for nine days.\n\nThe merchants grew nervous. Nobody could say which boats had passed, or who "
        "owed what. But the gatekeeper had tied a bell to each mooring and kept her ledger by ear: one ring in, two rings "
        "out.\n\nWhen the fog lifted, the council compared her book with the warehouse shelves. Every sack was accounted "
        "for. They asked how she had managed without seeing anything. “I never needed to see the boats,” she said. “I only "
        "needed to hear each of them once.”",
    ),
    "summary": (
        "In short:\n\n- The text opens with “{first}”.\n- Words: {words}; lines: {lines}.\n- It closes with "
        "“{last}”.\n\nA real model would weigh the arguments as well; the demo provider only reads the frame.",
    ),
    "translate": (
        "Here is where the translation of “{first}” would stand. The demo provider knows English, German and Japanese "
        "phrases of its own, but it does not translate yours: connect a real model for that.",
    ),
    "trouble": (
        "Let us read the message from the bottom: “{last}”. That line names what failed; the lines above say how the program "
        "got there.\n\n1. Reproduce it with the smallest input that still fails.\n2. Check the values on the line that the "
        "message names.\n3. Change one thing, run again, compare.\n\nMost errors of this kind come from a value that is not "
        "what the code believes it to be.",
    ),
    "program": (
        "Here is a start for “{topic}”:\n\n```python\ndef solve(items: list[int]) -> int:\n    total = 0\n    for item in "
        "items:\n        total += item\n    return total\n```\n\nIt walks over the items once and keeps a running total. "
        "Swap the body of the loop for the rule you need.",
    ),
    "code": (
        "I count {lines} line(s) here, and the centre is `{name}`.\n\nIt begins with `{first}`, which sets the scene. The middle "
        "does the work step by step, and the end decides what comes out.\n\nTwo things to check: does it behave with empty "
        "input, and is every name still used?",
    ),
    "ideas": (
        "Some thoughts on “{topic}”:\n\n1. **Start small.** One example that works end to end teaches more than a plan.\n2. "
        "**Measure first.** Write down the number you want to move.\n3. **Ask a user.** Five minutes with one person beats "
        "an hour of guessing.\n4. **Remove something.** The best improvement is often a deletion.\n5. **Set a date.** A "
        "review in two weeks keeps it honest.",
    ),
    "compare": (
        "Comparing “{topic}”:\n\n| | First | Second |\n|---|---|---|\n| Strength | quick to begin | grows further |\n| Cost | "
        "low at first | low later |\n| Risk | outgrown | over-built |\n\nIf you need a result this week, take the first; if "
        "it has to last for years, the second.",
    ),
    "howto": (
        "To get there with “{topic}”:\n\n1. Write down what “done” looks like in one sentence.\n2. Do the part that can fail "
        "first.\n3. Keep each step small enough to undo.\n4. Check the result against the sentence from step 1.\n\nTell me "
        "where you are stuck and we can go deeper.",
    ),
    "sum": (
        "{sum}.",
        "That makes {sum}.",
    ),
    "about": (
        "You asked about “{topic}”. The short version: it is easier than it looks once you split it into what is known, what "
        "is assumed and what can be tried today. Begin with the part you can try.\n\n(This answer comes from the built-in "
        "demo provider. Add a provider key to hear a real model.)",
        "Good question. With “{topic}” there are usually three sides: what it is for, what it costs and what it replaces. The "
        "first is a matter of taste, the second can be measured, and the third is where surprises hide.\n\n(The demo "
        "provider wrote this; no key was used.)",
        "Let me think about “{topic}”. The heart of the matter is small: one clear goal, a few moving parts and a way to tell "
        "whether it works. Everything else can wait until the first result is in.\n\n(You are reading the demo provider. A "
        "real model is one key away.)",
    ),
    "thought": (
        "The question is about “{topic}”. I should find out what kind of answer helps: a fact, a list or a worked example. A "
        "short answer with one concrete point seems best.",
        "Someone wants to know about “{topic}”. First the main point, then one detail, then stop. No need for a long introduction.",
    ),
    "before_write": (
        "I'll create {subject} for you.",
        "Let me write {subject}.",
    ),
    "before_shell": (
        "I'll run `{subject}` to see.",
        "Let me run `{subject}`.",
    ),
    "before_other": (
        "I'll use {subject} for that.",
        "Let me ask {subject}.",
    ),
    "after_success": (
        "Done. The tool reported: “{result}”. Nothing else is needed.",
        "That worked: “{result}”. Tell me if you would like something changed.",
    ),
    "after_failure": ("That did not work. The tool reported: “{result}”. Please check the message; I will not try again on my own.",),
}

GERMAN = {
    "greet": (
        "Hallo! Ich bin der Demo-Anbieter: Nichts verlässt deinen Rechner, und es braucht keinen Schlüssel. Frag mich etwas "
        "und sieh zu, wie die Antwort eintrifft.",
        "Guten Tag! Schön, dass deine Anfrage angekommen ist. Ich antworte aus einem kleinen Vorrat an Texten, im Tempo "
        "eines echten Modells.",
    ),
    "thanks": ("Gern geschehen! Auch dein Dank wurde übrigens gezählt: Sieh dir die Anfrage in der Übersicht an.",),
    "who": (
        "Ich bin der eingebaute Demo-Anbieter dieses Gateways. Ich sende vorbereitete Antworten mit glaubwürdigem Tempo und "
        "Verbrauch, damit du Schlüssel, Budgets und Übersichten ausprobieren kannst, bevor ein echtes Modell angeschlossen "
        "ist.",
    ),
    "haiku": (
        "Wörter fallen leis,\njedes wird im Buch gezählt.\nNachts stimmt die Summe.",
        "Stilles Tor am Weg,\nFragen ziehen still hindurch.\nKeine geht verloren.",
    ),
    "story": (
        "Du wolltest „{topic}“. Hier ist eine kleine.\n\nAm Rand einer Hafenstadt lebte eine Wächterin, die jedes Boot zählte. "
        "In einem Herbst kam Nebel und blieb neun Tage. Die Händler wurden unruhig, denn niemand konnte sagen, wer "
        "vorbeigefahren war.\n\nDoch die Wächterin hatte an jeden Steg eine Glocke gebunden und führte ihr Buch nach Gehör. "
        "Als sich der Nebel hob, fehlte kein einziger Sack. „Ich musste die Boote nicht sehen“, sagte sie. „Ich musste jedes "
        "nur einmal hören.“",
    ),
    "summary": ("Kurz gefasst:\n\n- Der Text beginnt mit „{first}“.\n- Wörter: {words}; Zeilen: {lines}.\n- Er endet mit „{last}“.",),
    "translate": (
        "Hier stünde die Übersetzung von „{first}“. Der Demo-Anbieter übersetzt nicht selbst; schließe dafür ein echtes Modell an.",
    ),
    "trouble": (
        "Lesen wir die Meldung von unten: „{last}“. Diese Zeile nennt, was fehlschlug.\n\n1. Mit der kleinsten Eingabe "
        "nachstellen.\n2. Die Werte an dieser Stelle prüfen.\n3. Eine Sache ändern, erneut ausführen, vergleichen.",
    ),
    "program": (
        "Hier ein Anfang für „{topic}“:\n\n```python\ndef solve(items: list[int]) -> int:\n    total = 0\n    for item in "
        "items:\n        total += item\n    return total\n```\n\nDie Funktion geht einmal über alle Werte und führt eine "
        "Summe. Den Rumpf der Schleife kannst du durch deine Regel ersetzen.",
    ),
    "code": (
        "Ich zähle {lines} Zeile(n), im Mittelpunkt steht `{name}`.\n\nEs beginnt mit `{first}`, die Mitte erledigt die Arbeit "
        "Schritt für Schritt, und das Ende entscheidet, was herauskommt.",
    ),
    "ideas": (
        "Einige Gedanken zu „{topic}“:\n\n1. **Klein anfangen.** Ein Beispiel, das läuft, lehrt mehr als ein Plan.\n2. **Erst "
        "messen.** Schreib die Zahl auf, die sich ändern soll.\n3. **Jemanden fragen.** Fünf Minuten mit einem Menschen "
        "schlagen eine Stunde Raten.\n4. **Etwas weglassen.**",
    ),
    "compare": (
        "Der Vergleich „{topic}“:\n\n| | Erstes | Zweites |\n|---|---|---|\n| Stärke | schnell begonnen | wächst weiter |\n| "
        "Risiko | bald zu klein | zu viel gebaut |\n\nFür diese Woche das Erste, für Jahre das Zweite.",
    ),
    "howto": (
        "So kommst du mit „{topic}“ voran:\n\n1. In einem Satz sagen, wann es fertig ist.\n2. Mit dem Teil beginnen, der "
        "scheitern kann.\n3. Kleine Schritte.\n4. Am Satz messen.",
    ),
    "sum": (
        "{sum}.",
        "Das ergibt {sum}.",
    ),
    "about": (
        "Du fragst nach „{topic}“. Kurz gesagt: Es ist leichter, als es aussieht, wenn man Bekanntes, Angenommenes und "
        "Ausprobierbares trennt. Beginne mit dem, was du heute ausprobieren kannst.\n\n(Diese Antwort stammt vom eingebauten "
        "Demo-Anbieter. Mit einem Schlüssel antwortet ein echtes Modell.)",
        "Gute Frage. Bei „{topic}“ gibt es meist drei Seiten: wozu es dient, was es kostet und was es ersetzt. Das Erste ist "
        "Geschmack, das Zweite lässt sich messen, beim Dritten warten die Überraschungen.\n\n(Geschrieben vom Demo-Anbieter, "
        "ganz ohne Schlüssel.)",
    ),
    "thought": (
        "Es geht um „{topic}“. Am besten hilft eine kurze Antwort mit einem greifbaren Punkt. Erst das Wichtigste, dann ein "
        "Detail, dann Schluss.",
    ),
    "before_write": ("Ich lege {subject} für dich an.",),
    "before_shell": ("Ich führe `{subject}` aus und sehe nach.",),
    "before_other": ("Dafür nutze ich {subject}.",),
    "after_success": ("Fertig. Das Werkzeug meldet: „{result}“. Mehr ist nicht nötig.",),
    "after_failure": (
        "Das hat nicht geklappt. Das Werkzeug meldet: „{result}“. Bitte prüfe die Meldung; von selbst versuche ich es nicht erneut.",
    ),
}

JAPANESE = {
    "greet": (
        "こんにちは！私は内蔵のデモプロバイダーです。データは外部に送信されず、キーも必要ありません。何でも聞いて、回答が流れ"
        "てくる様子をご覧ください。",
        "こんにちは。リクエストが無事に届きました。用意された短い文章を、本物のモデルと同じ速さでお返しします。",
    ),
    "thanks": ("どういたしまして。このやり取りも使用量として記録されています。ダッシュボードでご確認ください。",),
    "who": (
        "私はこのゲートウェイに内蔵されたデモプロバイダーです。本物のモデルを接続する前に、キーや予算、ダッシュボードを試せる"
        "ように、用意された回答を現実的な速さと使用量でお返しします。",
    ),
    "haiku": (
        "言の葉を\n一つずつ数え\n秋の暮れ",
        "静かな門\n問いが流れて\n朝が来る",
    ),
    "story": (
        "「{topic}」のお話をひとつ。\n\n港町のはずれに、行き交う船をすべて数える門番が住んでいました。ある秋、霧が町を包み、"
        "九日間晴れませんでした。商人たちは不安になりました。\n\nしかし門番は桟橋ごとに鐘を結び、音だけで帳簿をつけていたので"
        "す。霧が晴れたとき、足りない荷は一つもありませんでした。「船を見る必要はなかったのです」と門番は言いました。「一度ず"
        "つ、音を聞けば十分でした」",
    ),
    "summary": ("要点は次のとおりです。\n\n- 冒頭は「{first}」です。\n- 全体で{lines}行あります。\n- 最後は「{last}」で終わります。",),
    "translate": ("ここに「{first}」の訳文が入ります。デモプロバイダーは翻訳を行いませんので、本物のモデルを接続してお試しください。",),
    "trouble": (
        "メッセージは下から読みます。「{last}」の行が失敗した内容を示しています。\n\n1. できるだけ小さな入力で再現します。\n"
        "2. その行の値を確認します。\n3. 一か所だけ変えて、もう一度実行します。",
    ),
    "program": (
        "「{topic}」の出発点です。\n\n```python\ndef solve(items: list[int]) -> int:\n    total = 0\n    for item in items:\n"
        "        total += item\n    return total\n```\n\n要素を一度だけたどり、合計を返します。ループの中身を必要な処理に置き"
        "換えてください。",
    ),
    "code": (
        "このコードは{lines}行で、中心は `{name}` です。\n\n`{first}` から始まり、処理を順に進めて結果を出します。"
        "空の入力でも動くか確認すると安心です。",
    ),
    "ideas": (
        "「{topic}」についての案です。\n\n1. **小さく始める。** 動く例が一つあれば十分です。\n2. **先に測る。** 変えたい数字"
        "を書き留めます。\n3. **人に聞く。** 五分の会話は一時間の推測に勝ります。\n4. **何かを減らす。** 最良の改善は削除かも"
        "しれません。",
    ),
    "compare": (
        "「{topic}」の比較です。\n\n| | 一つ目 | 二つ目 |\n|---|---|---|\n| 長所 | すぐ始められる | 長く使える |\n| 注意点 | "
        "手狭になる | 作り込みすぎる |",
    ),
    "howto": (
        "「{topic}」の進め方です。\n\n1. 完成の姿を一文で書きます。\n2. 失敗しやすい部分から始めます。\n3. 小さな手順に分けま"
        "す。\n4. 最初の一文と照らし合わせます。",
    ),
    "sum": (
        "{sum} です。",
        "答えは {sum} です。",
    ),
    "about": (
        "「{topic}」についてのご質問ですね。要するに、分かっていること、仮定していること、今日試せることに分けると、思ったよ"
        "り簡単です。まずは試せるところから始めましょう。\n\n（これは内蔵のデモプロバイダーの回答です。キーを登録すると本物の"
        "モデルが答えます。）",
        "良い質問です。「{topic}」には、目的、費用、置き換えるもの、という三つの面があります。目的は好みの問題、費用は測れる"
        "もの、驚きは三つ目に潜んでいます。\n\n（デモプロバイダーが書きました。キーは使っていません。）",
    ),
    "thought": ("「{topic}」についての質問です。まず要点を述べ、具体例を一つ添えて、短くまとめるのがよさそうです。",),
    "before_write": ("{subject} を作成します。",),
    "before_shell": ("`{subject}` を実行して確認します。",),
    "before_other": ("{subject} を使います。",),
    "after_success": ("完了しました。ツールの結果は「{result}」です。",),
    "after_failure": ("うまくいきませんでした。ツールの報告は「{result}」です。内容をご確認ください。",),
}

PHRASES: dict[str, dict[str, tuple[str, ...]]] = {"en": ENGLISH, "de": GERMAN, "ja": JAPANESE}

# What a new source file holds when the question did not say: by file ending.
PRINTING = {
    "py": 'print("{line}")\n',
    "js": 'console.log("{line}");\n',
    "ts": 'console.log("{line}");\n',
    "sh": '#!/bin/sh\necho "{line}"\n',
    "html": "<!doctype html>\n<title>{line}</title>\n<p>{line}</p>\n",
    "json": '{{"message": "{line}"}}\n',
}
