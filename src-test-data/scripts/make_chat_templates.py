#!/usr/bin/env python
"""Golden chat texts: chat templates rendered by transformers, and small templates rendered by its Jinja.

    python make_chat_templates.py [--out DIR]      (default: golden/chat)

templates.json: published chat templates (those that TRL ships, OpenELM's DPO recipe, Mixtral's old and new) with
conversations; a case has what transformers gives for it, or the error of the template itself (raise_exception).
"generated" are the places of {% generation %} blocks, in code points. jinja.json: single expressions and
statements with their text, or "error" for what Python refuses. The clock stands at 2024-07-26 09:05:03.
"""
import argparse, datetime, glob, json, os

import transformers.utils.chat_template_utils as utils
import trl

HERE = os.path.dirname(os.path.abspath(__file__))


class StoppedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(2024, 7, 26, 9, 5, 3)


utils.datetime = StoppedClock

TEMPLATES = {
    'openelm_dpo': "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}",
    'chatml': "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    'phi3_old': "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
    'mixtral_v0.1_old': "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}",
    'mixtral_v0.1_new': '{%- if messages[0]["role"] == "system" %}\n    {%- set system_message = messages[0]["content"] %}\n    {%- set loop_messages = messages[1:] %}\n{%- else %}\n    {%- set loop_messages = messages %}\n{%- endif %}\n\n{{- bos_token }}\n{%- for message in loop_messages %}\n    {%- if (message[\'role\'] == \'user\') != (loop.index0 % 2 == 0) %}\n        {{- raise_exception(\'After the optional system message, conversation roles must alternate user/assistant/user/assistant/...\') }}\n    {%- endif %}\n    {%- if message["role"] == "user" %}\n        {%- if loop.first and system_message is defined %}\n            {{- " [INST] " + system_message + "\\n\\n" + message["content"] + " [/INST]" }}\n        {%- else %}\n            {{- " [INST] " + message["content"] + " [/INST]" }}\n        {%- endif %}\n    {%- elif message["role"] == "assistant" %}\n        {{- " " + message["content"] + eos_token}}\n    {%- else %}\n        {{- raise_exception("Only user and assistant roles are supported, with the exception of an initial optional system message!") }}\n    {%- endif %}\n{%- endfor %}\n',
}
for path in sorted(glob.glob(os.path.join(os.path.dirname(trl.__file__), "chat_templates", "*.jinja"))):
    TEMPLATES[os.path.basename(path)[:-6]] = open(path, encoding="utf-8").read()

CONVERSATIONS = [
    [("system", "Be brief."), ("user", "  Hi there!\n")],
    [("user", "What is 2+2?")],
    [("user", "What is 2+2?"), ("assistant", "4"), ("user", "And 3+3? <b> \"Zürich\" 東京 🙂")],
    [("user", "{{ 7*7 }}{% raw %}{# no #}"), ("assistant", "It is 4. ")],
    [("system", "S"), ("user", "a"), ("assistant", "<think>\nwhy\n</think>\n\nb"), ("user", "c"), ("assistant", " d\n")],
]
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "date_string": "26 Jul 2024"}

JINJA = [
    "{{ nothing.x }}", "{{ 'a' + nothing }}", "{{ nothing }}|{{ nothing | length }}|{{ nothing | default('d') }}", "{{ nothing() }}",
    "{{ not nothing }}{{ nothing is defined }}{{ nothing == nothing2 }}{{ 'a' in nothing }}", "{{ nothing ~ 'a' }}", "{{ nothing < 1 }}",
    "{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}",
    "{% for i in [1, 2] %}{{ x is defined }}{% set x = 2 %}{% endfor %}",
    "{% if true %}{% set x = 2 %}{% endif %}{{ x }}", "{{ [1,2,3][::-1] }}{{ 'abc'[::-1] }}{{ [1,2,3,4][1:-1:2] }}{{ 'abc'[5:] }}",
    "{{ none }}|{{ true }}|{{ 7 // 2 }}|{{ -7 // 2 }}|{{ -7 % 3 }}|{{ 1/2 }}|{{ 2**10 }}|{{ 1e20 }}|{{ 1.0 }}|{{ 0.1 + 0.2 }}|{{ 1e-7 }}|{{ 123456789.5 }}",
    "{{ {'a': [1, 'b', none, 1.5, true], 2: \"it's\"} }}", "{{ ('a', 1)[0] }}{{ (1) }}", "{{ 'a\\n\\t\\'\\\"\\\\' }}|{{ 'a\\n\\'' | list }}",
    "{{ strftime_now('%d %b %Y %H:%M:%S %A %B %j %y %m %p %I') }}", "{{ strftime_now is defined }}{{ strftime_now is callable }}",
    "{{ '%s-%d' % ('x', 3) }}", "{{ '%s' % 'x' }}", "{{ messages[0].content }}", "{{ messages[5] }}|{{ messages[0]['nope'] }}|{{ messages[-1].role }}",
    "{{ messages[0].nope.deeper }}", "{{ 'ab'[0] }}{{ 'abc'[-1] }}{{ 'abc'[1:] }}{{ '🙂x'[0] }}{{ '🙂' | length }}",
    "{{ 'a,b,,c'.split(',') }}{{ ' a  b '.split() }}{{ 'a,b,c'.split(',', 1) }}{{ 'a,b,c'.rsplit(',', 1) }}{{ 'a b  c'.split(none, 1) }}{{ ''.split(',') }}",
    "{{ ' x '.strip() }}|{{ 'xay'.strip('xy') }}|{{ 'xx1'.lstrip('x') }}|{{ '1\\n'.rstrip('\\n') }}|{{ 'x'.upper() }}{{ 'hello World'.title() }}{{ 'hELLO'.capitalize() }}",
    "{{ 'abc'.startswith('a') }}{{ 'abc'.endswith(('b', 'c')) }}{{ 'abc'.find('c') }}{{ 'abab'.count('ab') }}{{ 'abab'.replace('a', 'x', 1) }}{{ 'a1'.isdigit() }}{{ '12'.isdigit() }}",
    "{{ ', '.join(['a', 'b']) }}{{ ['a', 1] | join('-') }}{{ messages | join(',', attribute='role') }}",
    "{% macro f(x, y='d') %}[{{ x }}{{ y }}]{% endmacro %}{{ f('a') }}{{ f(y='b', x=1) }}{{ f() }}", "{% macro f(x) %}{{ x }}{% endmacro %}{{ f(1, 2) }}",
    "{% macro f(x) %}{% if x > 0 %}{{ x }}{{ f(x - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
    "{{ 'a' if false }}|{{ 'a' if true else 'b' }}|{{ 1 if none else 2 if true else 3 }}",
    "{% set ns = namespace(a=1) %}{% for i in [1,2] %}{% set ns.a = ns.a + i %}{% endfor %}{{ ns.a }}{{ ns.b }}", "{% set x = {} %}{% set x.a = 1 %}",
    "{{ 'a' in messages[0] }}{{ 'role' in messages[0] }}{{ 'b' in 'abc' }}{{ 2 not in [1] }}{{ not 1 in [1] }}", "{{ 1 in 'a' }}",
    "{{ messages | selectattr('role', 'equalto', 'user') | list | length }}{{ messages | rejectattr('role', 'in', ['user']) | map(attribute='content') | list }}{{ [0, 1] | select | list }}{{ [1,2,3] | reject('odd') | list }}",
    "{% for m in messages if m.role == 'user' %}{{ loop.first }}{{ loop.last }}{{ loop.length }}{% else %}none{% endfor %}",
    "{% for i in [1,2,3] %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.previtem }}{{ loop.nextitem }}{{ loop.cycle('a', 'b') }}{{ loop.depth }};{% endfor %}",
    "{% for k, v in {'a': 1, 'b': 2}.items() %}{{ k }}={{ v }};{% endfor %}{% for k in {'a': 1} %}{{ k }}{% endfor %}{% for c in 'ab' %}{{ c }},{% endfor %}",
    "{% for x in [] %}{% else %}empty{% endfor %}{% for x in nothing %}{% else %}empty{% endfor %}", "{% for x in 5 %}{% endfor %}", "{% for x, y in [[1, 2, 3]] %}{% endfor %}",
    "{% for i in range(5) %}{% if i == 1 %}{% continue %}{% endif %}{% if i == 3 %}{% break %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in [1,2] %}{% for j in [1,2] %}{{ loop.depth }}{{ i }}{{ j }} {% endfor %}{% endfor %}{{ loop is defined }}",
    "{{ [1,2] | tojson }}{{ 'a<é\\n\\u2028' | tojson }}{{ {'a': 1.0, 'b': none, 'c': [], 'd': {}} | tojson(indent=2) }}{{ {'b': true, 'a': {'x': 1}} | tojson(sort_keys=true, separators=(',', ':')) }}{{ 'é🙂' | tojson(ensure_ascii=true) }}",
    "{{ nothing | tojson }}", "{{ {'b': 1, 'a': 2} | dictsort }}{{ {'b': 1, 'a': 2} | items | list }}{{ {'b': 1, 'A': 2}.keys() | list }}{{ [3, 1, 2] | sort }}{{ ['b', 'A'] | sort(reverse=true) }}",
    "{{ {'get': 1}.get('get') }}{{ {}.get('a') }}{{ {}.get('a', 5) }}{{ {'items': 3}['items'] }}", "{{ [1].append(2) }}", "{{ {}.update({'a': 1}) }}",
    "{{ 5 is number }}{{ true is number }}{{ 'a' is string }}{{ [] is sequence }}{{ 'a' is sequence }}{{ {} is mapping }}{{ {} is iterable }}{{ 5 is iterable }}{{ none is none }}{{ true is boolean }}{{ 3 is odd }}{{ 4 is divisibleby 2 }}{{ 4 is divisibleby(3) }}{{ 1 is true }}{{ 5 is integer }}{{ 5.0 is float }}{{ 1 is not none }}{{ 'A' is upper }}",
    "{{ 1 < 2 < 3 }}{{ 1 < 2 > 5 }}{{ 1 == 1.0 }}{{ true == 1 }}{{ 'a' < 'b' }}{{ [1] == [1] }}{{ none == false }}", "{{ 1 < 'a' }}", "{{ 'a' * 3 }}{{ [1] + [2] }}{{ '-' ~ 1 ~ none ~ [1] }}", "{{ 'a' + 1 }}", "{{ 1 / 0 }}",
    "{{ (1 or 2) }}{{ 0 or 'x' }}{{ 0 and 1 }}{{ not '' }}{{ - 3 | abs }}{{ -3 + 1 }}{{ 2 + 3 * 4 - 1 }}{{ (2 + 3) * 4 }}{{ 'a' ~ 1 + 2 }}",
    "{{ '  a b ' | trim }}|{{ 'a' | upper | lower }}|{{ 'abc' | replace('b', 'x') }}|{{ 'ab' | first }}{{ [1, 2] | last }}{{ 'ab' | reverse }}{{ 'abc' | capitalize }}{{ 5 | string + 'a' }}{{ '7' | int + 1 }}{{ 'x' | int }}",
    "{{ 'a\\nb' | indent(2) }}|{{ 'a' | indent(2, true) }}", "{{ '' | default('d', true) }}{{ none | default('d') }}", "{{ 'a' | nosuch }}", "{{ 'a' is nosuch }}", "{% nosuch %}",
    "{% set x %}a{{ 1 }}{% endset %}{{ x }}{{ x | length }}", "{% set x | upper %}abc{% endset %}{{ x }}", "{% set a, b = [1, 2] %}{{ a }}{{ b }}", "{% set a = 1, 2 %}{{ a[1] }}",
    "{% raw %}{{ x }}{% endraw %}|{#- comment -#} a", "a\n{%- if true %}\n b\n{%- endif %}\nc\n\n", "  {% if true %}\n  x\n  {% endif %}\ny", "x {% if true %} y {% endif %}\n z", "  {%+ if true %}a{% endif %}", "a\n  {{ 1 }}\n  {{- 2 -}}\n  b",
    "{% if true +%}\na{% endif %}", "{# a #}\n{# b #}  c\n   {# d #}\n", "{{ 'x' }}\n", "{{ 'x' }}\n\n", "\r\na\r\n", "{{ {'a': {'b': 1}}['a']['b'] }}{{ {'a': {'b': 1}}.a.b }}", "{{ 'a' 'b' }}", "{{ 1_000 }}",
    "{% if x %}", "{{ 'a }}", "{% for x in [1] %}{% endif %}", "{{ 1 + }}", "{{ (1 }}", "{% endif %}", "a\nb {{ raise_exception('no') }}",
    "{{ '<' | safe ~ '>' }}", "{{ ('<' | safe) + '<' }}", "{{ '<' | tojson | safe }}", "{{ '<&\"' | e }}", "{{ dict(a=1).a }}{{ dict(a=1) }}", "{{ range(3) | list }}{{ range(1, 6, 2) | list }}", "{{ range(100001) }}",
    "{{ '\\u00e9\\x41' }}", "{{ [none, 'a'] | map('upper') | list }}", "{{ 'a'.nope() }}", "{{ 'a'.nope }}", "{% set loop = 3 %}{{ loop }}", "{{ messages | length > 0 and messages[0].role == 'user' }}", "{{ messages[0] is mapping and messages is sequence }}", "{{ 'x' if messages[0].content is none else 'y' }}", "{{ messages | map('upper') | list | length }}",
]


def render(template, messages, generate, more=None):
    case = {"messages": messages, "add_generation_prompt": generate} | (more or {})
    try:
        texts, places = utils.render_jinja_template(
            conversations=[messages], chat_template=template, add_generation_prompt=generate, return_assistant_tokens_mask=True, **TOKENS)
        return case | {"expected": texts[0]} | ({"generated": places[0]} if places[0] else {})
    except Exception as e:
        return case | {"error": str(e)}


def continued(template, messages):
    case = {"messages": messages, "add_generation_prompt": False, "continue_final_message": True}
    try:
        texts, _ = utils.render_jinja_template(conversations=[messages], chat_template=template, continue_final_message=True, **TOKENS)
        return case | {"expected": texts[0]}
    except Exception as e:
        return case | {"error": str(e).split("!")[0]}


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--out", default=os.path.join(HERE, "..", "src", "main", "resources", "golden", "chat"))
    target = args.parse_args().out
    os.makedirs(target, exist_ok=True)
    out = {"variables": TOKENS, "templates": []}
    for name, template in TEMPLATES.items():
        conversations = [[{"role": r, "content": c} for r, c in conversation] for conversation in CONVERSATIONS]
        cases = [render(template, messages, generate) for messages in conversations for generate in (True, False)]
        cases += [continued(template, messages) for messages in conversations if messages[-1]["role"] == "assistant"]
        out["templates"].append({"name": name, "template": template, "cases": cases})
    snippets = []
    for template in JINJA:
        case = render(template, [{"role": "user", "content": "{{ 7*7 }}{% raw %}"}], True)
        snippets.append({"template": template} | {k: v for k, v in case.items() if k in ("expected", "error")})
    for name, content in (("templates", out), ("jinja", snippets)):
        with open(os.path.join(target, name + ".json"), "w", encoding="utf-8") as f:
            json.dump(content, f, ensure_ascii=False, indent=0)
            f.write("\n")


main()
