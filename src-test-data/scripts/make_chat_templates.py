#!/usr/bin/env python
"""Golden chat texts: the chat templates of OpenELM's DPO recipe, Phi-3 and Mixtral, rendered by transformers.

    python make_chat_templates.py [--out FILE]      (default: golden/chat_templates.json)

Cases with "error" are refused by the template itself (raise_exception).
"""
import argparse, json, os

from transformers.utils.chat_template_utils import render_jinja_template

HERE = os.path.dirname(os.path.abspath(__file__))
TEMPLATES = {
    'openelm_dpo': "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}",
    'phi3': "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
    'mixtral_v0.1_old': "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token}}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}",
    'mixtral_v0.1_new': '{%- if messages[0]["role"] == "system" %}\n    {%- set system_message = messages[0]["content"] %}\n    {%- set loop_messages = messages[1:] %}\n{%- else %}\n    {%- set loop_messages = messages %}\n{%- endif %}\n\n{{- bos_token }}\n{%- for message in loop_messages %}\n    {%- if (message[\'role\'] == \'user\') != (loop.index0 % 2 == 0) %}\n        {{- raise_exception(\'After the optional system message, conversation roles must alternate user/assistant/user/assistant/...\') }}\n    {%- endif %}\n    {%- if message["role"] == "user" %}\n        {%- if loop.first and system_message is defined %}\n            {{- " [INST] " + system_message + "\\n\\n" + message["content"] + " [/INST]" }}\n        {%- else %}\n            {{- " [INST] " + message["content"] + " [/INST]" }}\n        {%- endif %}\n    {%- elif message["role"] == "assistant" %}\n        {{- " " + message["content"] + eos_token}}\n    {%- else %}\n        {{- raise_exception("Only user and assistant roles are supported, with the exception of an initial optional system message!") }}\n    {%- endif %}\n{%- endfor %}\n',
}
CONVERSATIONS = [
    [("system", "Be brief."), ("user", "  Hi there!\n")],
    [("user", "What is 2+2?")],
    [("user", "What is 2+2?"), ("assistant", "4"), ("user", "And 3+3? <b> \"Zürich\" 東京")],
    [("user", "What is 2+2?"), ("assistant", "It is 4.")],
]
TOKENS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


def render(template, messages, generate):
    case = {"messages": messages, "add_generation_prompt": generate}
    try:
        texts, _ = render_jinja_template(
            conversations=[messages], chat_template=template, add_generation_prompt=generate, **TOKENS)
        return case | {"expected": texts[0]}
    except Exception as e:
        return case | {"error": str(e)}


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--out", default=os.path.join(HERE, "..", "src", "main", "resources", "golden", "chat_templates.json"))
    out = {"tokens": TOKENS, "templates": []}
    for name, template in TEMPLATES.items():
        cases = [render(template, [{"role": r, "content": c} for r, c in conversation], generate)
                 for conversation in CONVERSATIONS for generate in (True, False)]
        out["templates"].append({"name": name, "template": template, "cases": cases})
    with open(args.parse_args().out, "w", encoding="utf-8") as f:
        json.dump(out, f, ensure_ascii=False, indent=1)
        f.write("\n")


main()
