"""Writes <model>.json: what transformers answers, greedily and in float32, to 20 chats.

    pip install torch==2.13.0 transformers==5.23.0
    MINICHAT_TEST_MODELS=... python -m tests.golden.make_golden

Each answer has at most 64 tokens and ends where the model ends it or its context does; ids
leave out the token that ends it.  margin is the least lead of a best logit over the second.
"""
import hashlib
import json
import os
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

NEW_TOKENS = 64
MARGIN = 1e-4        # sums of float32 in another order may not change an answer

STORY = "{{ bos_token }}{{ messages[-1].content }}"     # for models that continue a text

STORIES = [
    "Once upon a time", "Once upon a time, there was a little girl named Lily.",
    "One day, a small bird", "Tim and Sam went to the park.", "The sun was hot and the",
    "There was a big red ball in the", "Mom said, \"It is time to", "Lily had a toy car.",
    "In the forest there lived a bear who liked honey.", "The cat sat on", "Ben was very sad",
    "\"Can I play with you?\" asked the", "A fish swam in the blue water. It saw",
    "It was a rainy day and Anna", "The dog ran fast. He wanted to", "Tom found a shiny key",
    "She was so happy that she", "The little boat", "After lunch, they", "Grandma made a cake.",
]


def user(*contents):
    """Returns a chat whose turns alternate, the user's first."""
    return [{"role": "assistant" if i % 2 else "user", "content": content}
            for i, content in enumerate(contents)]


CHATS = [
    user("hello"), user("Hello!"), user("how are you today?"), user("i feel sad"),
    user("I am happy today."), user("what do you think about rain?"), user("do you like music?"),
    user("i am scared of the dark"), user("tell me about your day"), user("what is your name?"),
    user("the weather is lovely"), user("my friend is angry with me"), user("  i like flowers  "),
    user("why is the sky so beautiful"), user("let us go for a walk"), user("i miss my home"),
    user("hello", "hello! how are you today?", "i am fine"),
    user("i am sad", "i am sorry. what happened?", "i lost my book"),
    user("do you like food?", "yes, i do.", "which one?"),
    user("good night", "sleep well!", "thank you"),
]

MODELS = {
    "tiny1m": (STORY, [user(story) for story in STORIES]),
    "stories260K": (STORY, [user(story) for story in STORIES]),
    "craftgpt": (None, CHATS),      # its own template
}


def main():
    torch.set_num_threads(1)
    for name, (template, chats) in MODELS.items():
        folder = Path(os.environ["MINICHAT_TEST_MODELS"], name)
        tokenizer = AutoTokenizer.from_pretrained(folder)
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32,
                                                     attn_implementation="eager").eval()
        weights = (folder / "model.safetensors").read_bytes()
        answers = [answer(tokenizer, model, template, messages) for messages in chats]
        head = {"template": template, "weights_sha256": hashlib.sha256(weights).hexdigest()}
        lines = ",\n".join(json.dumps(each) for each in answers)
        text = f'{json.dumps(head)[:-1]}, "answers": [\n{lines}\n]}}\n'
        Path(__file__).with_name(f"{name}.json").write_text(text)
        print(f"{name}: {sum(each['done_reason'] == 'stop' for each in answers)} of "
              f"{len(answers)} ended by the model")


@torch.no_grad()
def answer(tokenizer, model, template, messages):
    prompt = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False)
    prompt_ids = tokenizer.encode(prompt, add_special_tokens=False)
    ends = model.generation_config.eos_token_id
    ends = {ends} if isinstance(ends, int) else set(ends)
    room = model.config.max_position_embeddings - len(prompt_ids)
    ids, done_reason, margin = [], "length", float("inf")
    while len(ids) < min(NEW_TOKENS, room):
        logits = model(torch.tensor([prompt_ids + ids]), use_cache=False).logits[0, -1]
        (best, second), (token, _) = (each.tolist() for each in logits.topk(2))
        margin = min(margin, best - second)
        if token in ends:
            done_reason = "stop"
            break
        ids.append(token)
    if margin < MARGIN:
        raise ValueError(f"{messages}: a lead of {margin:g} only; ask something else")
    text = tokenizer.decode(ids, skip_special_tokens=True)
    return {"messages": messages, "prompt_ids": prompt_ids, "ids": ids, "text": text,
            "done_reason": done_reason, "margin": round(margin, 6)}


if __name__ == "__main__":
    main()
