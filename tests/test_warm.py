"""Interaction models around language models made by transformers: the same words, new senses."""

import json
import re
import shutil

import pytest
import torch
from foreign_helpers import NUM_UNUSED, TEXT, a_tokenizer, publish

from interplay import cli
from interplay.model.checkpoint import load_checkpoint
from interplay.model.foreign import read_foreign
from interplay.model.warm import warm_config, warm_model
from interplay.turns.follow import FIRST_WORD
from interplay.turns.layout import TEXT_OUT
from interplay.turns.tokens import SPECIALS, Tokenizer


def init(*words: object) -> int:
    return cli.main(["init", "--size", "tiny", *map(str, words)])


# The whole way


@pytest.mark.parametrize(
    ("experts", "tied", "shards"), [(False, True, 1), (False, False, 2), (True, False, 1)]
)
def test_a_checkpoint_writes_what_the_language_model_would(tmp_path, capsys, experts, tied, shards):
    theirs = publish(tmp_path / "Qwen", experts=experts, tied=tied, shards=shards)
    assert len(list((tmp_path / "Qwen").glob("*.safetensors"))) == shards
    assert init("--from", tmp_path / "Qwen", "--out", tmp_path / "m.safetensors", "--eyes") == 0
    assert "M new" in capsys.readouterr().out
    loaded = load_checkpoint(tmp_path / "m.safetensors")
    assert loaded.config.see is not None and loaded.facts["warm_start"] == "Qwen"
    their_ids = torch.tensor([a_tokenizer().encode(TEXT).ids])
    our_ids = torch.tensor([loaded.tokenizer.encode_text(TEXT)])
    assert torch.equal(our_ids, their_ids + FIRST_WORD)
    with torch.no_grad():
        expected = theirs(their_ids).logits
        hidden = loaded.model.read_text(our_ids, torch.float32)
        logits = loaded.model.plain_logits(hidden)
        said = loaded.model.text_logits(hidden)[..., TEXT_OUT.index("say"), :]
    columns = slice(FIRST_WORD, FIRST_WORD + expected.shape[-1])
    torch.testing.assert_close(logits[..., columns], expected, rtol=0, atol=1e-4)
    torch.testing.assert_close(said[..., columns], expected, rtol=0, atol=1e-4)
    assert expected.std() > 0.1 and loaded.config.vocab_size % 64 == 0


def test_half_precision_is_kept_and_the_seed_gives_the_same_file(tmp_path, capsys):
    theirs = publish(tmp_path / "Qwen").bfloat16()
    theirs.save_pretrained(tmp_path / "Qwen")
    files = [tmp_path / f"{name}.safetensors" for name in "ab"]
    for file in files:
        assert init("--from", tmp_path / "Qwen", "--out", file) == 0
    first, second = (load_checkpoint(file).model.state_dict() for file in files)
    assert all(torch.equal(first[name], second[name]) for name in first)
    num_weights = sum(weight.numel() for weight in first.values())
    assert 2 * num_weights < files[0].stat().st_size < 2 * num_weights + 60_000
    capsys.readouterr()


def test_new_parts_are_as_loud_as_old_words(tmp_path):
    publish(tmp_path, tied=False)
    foreign = read_foreign(tmp_path, window=512)
    model = warm_model(foreign, warm_config(foreign, heads="tiny", eyes=True), seed=1)
    embed, words = model.embed, foreign.read.std()
    control = embed.tokens[:FIRST_WORD]
    assert 0.8 < control.std() / words < 1.25
    assert 0.8 < model.words[:FIRST_WORD].std() / foreign.written.std() < 1.25
    sound = embed.sound(torch.randint(16, (9, 4, 80), dtype=torch.uint8), torch.float32)
    tiles = torch.randint(256, (3, 2, 40, 40, 3), dtype=torch.uint8)
    assert embed.see is not None
    for vectors in (sound, embed.see(tiles)):
        assert 2 < vectors.std() / words < 5  # as in models trained from nothing: 1 to 0.3
    turned = embed.text(torch.tensor([90])) * embed.newest_roles[0]
    assert 0.05 < turned.std() / words < 0.2


# The tokenizer


def test_an_adopted_tokenizer_spells_as_before_behind_the_control_tokens():
    theirs = a_tokenizer()
    ours = Tokenizer.adopt(theirs.to_str())
    again = Tokenizer.from_json(ours.to_json())
    text = "Twelve months: 12 <|im_start|> <end> é\n"
    theirs.encode_special_tokens = True
    expected = [FIRST_WORD + i for i in theirs.encode(text).ids]
    assert ours.encode_text(text) == again.encode_text(text) == expected
    assert ours.decode(ours.encode("Twelve days")) == "twelve days"
    assert ours.encode("a week")[1:] == ours.encode_text(" week")
    assert [ours.name(i) for i in range(FIRST_WORD)] == list(SPECIALS)
    assert ours.num_words == theirs.get_vocab_size()


# Bad input


def set_config(**values):
    def change(folder):
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | values))

    return change


def drop_key(folder):
    config = json.loads((folder / "config.json").read_text())
    del config["hidden_size"]
    (folder / "config.json").write_text(json.dumps(config))


def cut(name, size):
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:size])


def lose(name):
    return lambda folder: (folder / name).unlink()


def change_tokenizer(change):
    def edit(folder):
        spec = json.loads((folder / "tokenizer.json").read_text())
        change(spec)
        (folder / "tokenizer.json").write_text(json.dumps(spec))

    return edit


def name_a_lost_shard(folder):
    weight_map = {"model.norm.weight": "model-00001-of-00002.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))


def write_json(name, **values):
    return lambda folder: (folder / name).write_text(json.dumps(values))


def added(number, content):
    return {"added_tokens_decoder": {str(number): {"content": content, "special": True}}}


ENDS = a_tokenizer().token_to_id("<|endoftext|>") or 0
BROKEN = {
    "architecture": (set_config(model_type="llama"), "model_type is 'llama'"),
    "quantised": (set_config(quantization_config={}), "quantised; take those in bfloat16"),
    "shape": (set_config(head_dim=80), "head_dim is 80; it must be"),
    "layers": (set_config(num_hidden_layers=3), r"layers\.2\.\S+ is missing"),
    "key": (drop_key, "lacks a key or has a wrong value .'hidden_size'"),
    "config": (cut("config.json", 20), r"config\.json cannot be read"),
    "no config": (lose("config.json"), r"has no config\.json; a Qwen3 model is"),
    "no weights": (lose("model.safetensors"), r"has no model\.safetensors; a Qwen3 model is"),
    "no tokenizer": (lose("tokenizer.json"), r"has no tokenizer\.json"),
    "weights cut short": (cut("model.safetensors", 60_000), "damaged, cut short or not a"),
    "lost shard": (name_a_lost_shard, r"names model-00001-of-00002\.safetensors, which is missing"),
    "tokenizer cut short": (cut("tokenizer.json", 300), "not a tokenizer that can be read"),
    "small table": (
        set_config(vocab_size=200),
        r"has \d+ tokens and .* rows for 200",
    ),
    "large table": (set_config(vocab_size=5000), "have rows for 5000; take the tokenizer"),
    "other table": (
        set_config(vocab_size=a_tokenizer().get_vocab_size() + NUM_UNUSED + 1),
        r"embed_tokens\.weight has shape",
    ),
    "word pieces": (
        change_tokenizer(lambda spec: spec["decoder"].update(type="Fuse")),
        "only byte-level BPE can be used",
    ),
    "end elsewhere": (
        set_config(eos_token_id=ENDS - 1),
        rf"config\.json has {ENDS - 1} as eos_token_id, and of the added tokens .* none of those",
    ),
    "one end of two": (
        write_json("generation_config.json", eos_token_id=[ENDS, ENDS + 7]),
        rf"generation_config\.json has {ENDS + 7} as eos_token_id, and .* with the weights",
    ),
    "end by another name": (
        write_json("tokenizer_config.json", eos_token="</s>"),
        r"tokenizer_config\.json has '</s>' as eos_token, and of the added tokens",
    ),
    "moved tokens": (
        write_json("tokenizer_config.json", **added(ENDS, "<|im_start|>")),
        rf"has '<.im_start.>' as token {ENDS}, and .* '<.endoftext.>' is token {ENDS}; take the",
    ),
    "nested config": (
        lambda folder: (folder / "config.json").write_text("[" * 100_000),
        r"config\.json cannot be read",
    ),
    "hole": (change_tokenizer(lambda spec: spec["added_tokens"].pop(0)), "every id from 0 on must"),
    "control": (
        change_tokenizer(lambda spec: spec["added_tokens"][0].update(content="<note>")),
        "'<note>' is one of our control tokens",
    ),
}


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hub") / "Qwen"
    publish(folder)
    return folder


@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_model_is_one_line_and_writes_nothing(
    published, tmp_path, capsys, change, message
):
    folder, out = shutil.copytree(published, tmp_path / "Qwen"), tmp_path / "out" / "m.safetensors"
    change(folder)
    capsys.readouterr()
    assert init("--from", folder, "--out", out) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and re.search(message, error), error
    assert not out.parent.exists()


def test_files_that_name_the_same_special_tokens_are_fine(published, tmp_path):
    folder = shutil.copytree(published, tmp_path / "Qwen")
    set_config(eos_token_id=ENDS, bos_token_id=None)(folder)
    write_json("generation_config.json", eos_token_id=[ENDS, ENDS + 1], pad_token_id=ENDS)(folder)
    named = {"eos_token": {"content": "<|endoftext|>"}, "pad_token": "<|im_start|>"}
    write_json("tokenizer_config.json", **named, **added(ENDS, "<|endoftext|>"))(folder)
    assert read_foreign(folder, window=512).tokenizer.num_words == a_tokenizer().get_vocab_size()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nowhere", "nowhere does not exist; give the folder of a Qwen3 model"),
        ("./no/where", r"no/where does not exist"),
        ("Qwen/Qwen3-0.6B", r"no folder here and cannot be fetched from the Hugging Face hub"),
    ],
)
def test_a_model_that_is_nowhere_is_one_line(capsys, monkeypatch, tmp_path, source, message):
    monkeypatch.chdir(tmp_path)
    assert init("--from", source) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and re.search(message, error), error
    assert not list(tmp_path.iterdir())
