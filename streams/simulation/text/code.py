# ruff: noqa: E501 - a line holds one sentence of a grammar
"""What developers paste and ask: snippets, errors, tasks; and what a coding agent sends between tool calls."""

from __future__ import annotations

from functools import cache

from streams.simulation.text.english import SHARED
from streams.simulation.text.grammar import Grammar, Rules, lines, phrases

PROJECTS: dict[str, dict[str, list[str]]] = {
    "shop": {
        "entity": phrases("order; basket; customer; coupon; parcel; invoice; supplier; refund; price"),
        "field": phrases("total; sku; status; due_date; quantity; tax_rate; email; street; placed_at"),
        "verb": phrases("checkout; apply_discount; ship; restock; price; refund; merge; validate"),
        "goal": phrases("apply two coupons in the right order; reserve stock; export orders; split a parcel"),
    },
    "telemetry": {
        "entity": phrases("sensor; reading; gateway; alarm; series; window; device; batch; sample"),
        "field": phrases("celsius; battery; seen_at; serial; offset; checksum; unit; quality; interval"),
        "verb": phrases("ingest; resample; interpolate; flush; calibrate; decode; aggregate; rotate"),
        "goal": phrases("drop duplicate readings; fill gaps up to an hour; alert on drift; shard by device"),
    },
    "clinic": {
        "entity": phrases("patient; appointment; referral; ward; prescription; nurse; bed; result; visit"),
        "field": phrases("birth_date; dose; ward_id; started_on; allergy; priority; room; signed_by"),
        "verb": phrases("admit; discharge; triage; book; cancel; anonymise; match; remind"),
        "goal": phrases("avoid double bookings; mask names; list free beds; merge duplicate patients"),
    },
    "library": {
        "entity": phrases("book; loan; reader; branch; shelf; hold; author; fine; catalogue"),
        "field": phrases("isbn; due; returned_on; copies; language; barcode; tags; edition; renewals"),
        "verb": phrases("lend; renew; index; search; reserve; import_marc; tag; archive"),
        "goal": phrases("search without accents; send reminders; compute fines; import old records"),
    },
    "games": {
        "entity": phrases("player; tile; enemy; quest; inventory; level; sprite; save; skill"),
        "field": phrases("health; x; y; speed; rarity; seed; cooldown; score; facing"),
        "verb": phrases("spawn; collide; render; equip; respawn; generate; serialise; undo"),
        "goal": phrases("generate mazes; save progress; detect collisions; rank players each week"),
    },
    "city": {
        "entity": phrases("stop; route; vehicle; trip; fare; zone; timetable; detour; ticket"),
        "field": phrases("lat; lon; delay_s; headsign; capacity; zone_id; departs_at; length_m; line"),
        "verb": phrases("route; snap; merge; estimate; publish; validate; interpolate; cluster"),
        "goal": phrases("find the nearest stop; join two timetables; estimate delays; draw a heat map"),
    },
}

_CODE: Rules = {
    "first": lines("""
        <task>
        <task> <demand>
        <task>\\n\\n<snippet>
        <problem>\\n\\n<snippet>
        <problem>\\n\\n<snippet>\\n\\n<error>
        <snippet>\\n\\n<short>
        <error>\\n\\n<short>
        <question>
        <question> <demand>
        <stack>. <task>
        <stack>. <problem>
    """),
    "task": lines("""
        write a <lang> function that can <goal>.
        how would you <goal> in <lang>?
        I need to <goal>, the data comes as a list of <entity> records with <field> and <field>.
        refactor this so that `<verb>` no longer touches <field>
        add tests for `<verb>_<entity>`.
        convert this from <lang> to <lang>
        write a SQL query: every <entity> whose <field> changed after <nz><d> <month>, with the latest <field>.
        sketch a data model for <entity>, <entity> and <entity>.
        give me a regex for a <field> like <nz><d>-<d><d><d>/<nz>
        write a migration that adds <field> to <entity>.
        document this module
        review this change before I merge it
        make it faster, <nz>00k rows take <nz> minutes
        write a GitHub workflow that runs the tests of `<entity>s` on every push.
        explain what this does, line by line
    """),
    "problem": lines("""
        `<verb>` returns nothing when <field> is empty.
        why is <field> always None here?
        this works on my machine but not in CI.
        the <entity> is saved twice if two requests come at once.
        after the upgrade to <lang> <nz>.<d> I get this.
        memory grows by <nz>0 MB an hour and I suspect this part.
        the test for `<verb>_<entity>` is flaky.
        off by one somewhere, the last <entity> is missing.
        I expected <nz><d> <entity>s and got <d>.
    """),
    "question": lines("""
        when should I put <field> on <entity> and when in a table of its own?
        is it fine to call `<verb>` inside a transaction?
        what is idiomatic in <lang> for optional <field> values?
        difference between a <lang> interface and an abstract class?
        how do you name things like <entity><entity_up>?
        which index helps if I filter on <field> and sort by <field>?
        do I need a queue to <goal> or is a cron job enough?
        what happens to open connections when the pod with the <entity> service restarts?
        can two workers <verb> the same <entity> at once if <field> is unique?
    """),
    "entity_up": phrases("Factory; Service; Repository; Builder; View; Cache"),
    "demand": lines("""
        no external packages.
        type hints please.
        only the code, no prose.
        it must stay compatible with <lang> <nz>.<d>.
        <field> can be missing.
        explain the trade-offs.
        complexity matters, there are <nz><d> million rows.
        keep the public interface.
    """),
    "short": phrases(
        "what's wrong?; fix this please; why?; can this be shorter?; is this safe?; explain; any better way?; "
        "what does the error mean?; add comments; please review"
    ),
    "stack": lines("""
        <lang> service, Postgres, about <nz>0 requests a second
        legacy <lang> code base, no tests
        small internal tool for the <entity> team
        we use <lang> <nz>.<d> and a message queue
        monorepo with <nz><d> packages
    """),
    "lang": phrases("Python; TypeScript; Go; Rust; Java; Kotlin; C#; PHP; Ruby; SQL; Bash; Swift"),
    "snippet": lines("""
        ```python\\ndef <verb>_<entity>(<field>, <entity>s):\\n    <py>\\n    <py>\\n    return <entity>s\\n```
        ```python\\nclass <entity_up>:\\n    def <verb>(self, <entity>):\\n        <py>\\n        <py>\\n        <py>\\n```
        def <verb>(<entity>):\\n    <py>\\n    return <entity>.<field>
        ```js\\nasync function <verb>(<entity>) {\\n  <js>\\n  <js>\\n  return <entity>.<field>\\n}\\n```
        const <field> = <entity>s.filter(x => x.<field> > <nz><d>).map(x => x.<field>)
        ```sql\\nSELECT <field>, count(*) FROM <entity>s\\nWHERE <field> > <nz><d>\\nGROUP BY <field> ORDER BY 2 DESC\\n```
        ```sql\\nUPDATE <entity>s SET <field> = <nz> FROM <entity>s o WHERE o.<field> = <entity>s.<field>\\n```
        ```go\\nfunc (s *Store) <verb>(id int) error {\\n\\t<go>\\n\\t<go>\\n\\treturn nil\\n}\\n```
        ```yaml\\n<entity>:\\n  <field>: <nz><d>\\n  retries: <nz>\\n  <field>: "<verb>"\\n```
        {"<entity>": {"<field>": <nz><d>, "<field>": "<verb>", "<field>": null}}
    """),
    "py": lines("""
        for <entity> in <entity>s: <entity>.<field> = <nz>
        if not <entity>.<field>: raise ValueError("<field>")
        <field> = sorted(<entity>s, key=lambda e: e.<field>)
        total = sum(e.<field> for e in <entity>s if e.<field> != <nz>)
        self.<field>[<entity>.<field>] = <entity>
        cache.setdefault(<entity>.<field>, []).append(<nz>)
        with lock: <verb>(<entity>)
        try: <verb>(<entity>) \\n    except KeyError: pass
        log.info("<verb> %s", <entity>.<field>)
    """),
    "js": lines("""
        const <field> = await db.<entity>s.findOne({ <field>: <nz> })
        if (!<entity>?.<field>) return null
        <entity>.<field> += <nz>
        await queue.push({ kind: "<verb>", <field>: <entity>.<field> })
        console.log("<verb>", <entity>.<field>)
    """),
    "go": lines("""
        if s.<field> == nil { return errors.New("<field> missing") }
        for _, e := range s.<entity>s { e.<field> = <nz> }
        defer s.mu.Unlock()
        rows, err := s.db.Query("SELECT <field> FROM <entity>s")
    """),
    "error": lines("""
        Traceback (most recent call last):\\n  File "<entity>.py", line <nz><d><d>, in <verb>\\nKeyError: '<field>'
        TypeError: Cannot read properties of undefined (reading '<field>') at <verb> (<entity>.ts:<nz><d>:<nz>)
        ERROR: column "<field>" of relation "<entity>s" does not exist, position <nz><d>
        panic: runtime error: index out of range [<nz>] with length <nz> goroutine <nz><d> <verb>(<entity>)
        <nz><d> failed, <nz><d><d> passed: test_<verb>_<entity> expected <nz><d> but was <d>
        error[E0502]: cannot borrow `<entity>.<field>` as mutable, src/<verb>.rs:<nz><d>
        FATAL: too many connections for role "<entity>_service" at <d>:<d><d>
    """),
    "follow": lines("""
        now I get this:\\n<error>
        still the same. <problem>
        ok. <task>
        use <lang> instead
        <short>
        can you also <goal>?
        what if <field> is null?
        write a test for that case
        that breaks `<verb>`, it is called from the <entity> view as well
        thanks, and <question>
        here is the rest:\\n\\n<snippet>
        rename <field> to <field> everywhere
    """),
    "agent_first": lines("""
        Repository `<entity>-service`. Issue #<nz><d><d>: <problem> Find the cause and fix it, then run the tests.
        <task> Start by reading `src/<verb>.py`. <demand>
        Upgrade the project to <lang> <nz>.<d> and make the tests pass again.
        Goal: <goal>. Open a branch, keep the commits small.
    """),
    "agent_step": lines("""
        [tool result] read_file src/<entity>/<verb>.py\\n<snippet>
        [tool result] run_tests\\n<error>
        [tool result] grep "<field>"\\nsrc/<entity>.py:<nz><d>: <py>\\nsrc/<verb>.py:<nz><d><d>: <py>
        [tool result] edit_file ok, <nz> lines changed
        [tool result] list_dir\\n<entity>.py\\n<verb>.py\\ntests/test_<verb>.py
        [tool result] run_tests\\n<nz><d> passed
        [tool result] shell `git diff --stat`\\n <entity>.py | <nz><d> +-\\n <verb>.py | <nz> -
    """),
}


@cache
def coding(project: str) -> Grammar:
    """Grammar of work on one of `PROJECTS`.

    Symbols to start from: ``first``, ``follow``; ``agent_first``, ``agent_step`` for a coding agent.
    """
    return Grammar(SHARED, _CODE, PROJECTS[project])
