# %% [markdown]
# What a run found, and what fewer questions would have found: the cells of a notebook, and a script as well.
# Run it beside the folder `runs`: `python notebook.py`, or `python notebook.py RUN` for another run than the latest.

# %%
import sys

import evalkit

run = evalkit.read_run(sys.argv[1] if len(sys.argv) > 1 else "latest")
print(run.outcome)

# %% The table of the report: recoveries and intervals in percent, scores from 0 to 1.
rows = run.rows()
print(rows[["title", "candidate", "n", "recovery", "low", "high", "regressed", "improved"]].round(2).to_string())

# %% The answers behind it: what got worse, with both answers.
flips = run.flips()
worse = flips[flips["flip"] == "regressed"]
print(worse[["task", "id", "baseline_answer", "candidate_answer"]].head().to_string())

# %% How answers came out: length, and answers in which nothing could be read.
samples = run.samples()
samples["unparsed"] = samples["parsed"].isna() & samples["failure"].isna()
print(samples.groupby(["task", "model"])[["completion_tokens", "unparsed"]].mean().round(3).to_string())

# %% What fewer questions would have shown: the interval of one task from its first 20, 40, 80, ... samples.
candidate = run.candidates[0]
tasks = rows[(rows["task"] != "") & (rows["candidate"] == candidate)]
task = tasks.loc[(tasks["regressed"] + tasks["improved"]).idxmax(), "task"]
asked = samples[samples["task"] == task].copy()
asked["unit"] = asked["problem"].fillna(asked["id"])  # attempts at one problem are averaged
scores = asked.pivot_table(index="unit", columns="model", values="score", sort=False)
scores = scores.dropna(subset=[run.baseline, candidate])
cluster = asked.drop_duplicates("unit").set_index("unit")["cluster"].dropna()
n = 20
while n < 2 * len(scores):
    part = scores.head(n)
    clusters = [cluster.get(unit) for unit in part.index]
    found = evalkit.recovery(part[run.baseline], part[candidate], clusters=clusters)
    if found.low is not None:
        print(f"{task}, {found.n} samples: {found.percent:.1f} % [{found.low:.1f}, {found.high:.1f}]")
    n *= 2
