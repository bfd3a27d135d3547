"""amldeploy: Azure ML online endpoints from files.

Files say what you want. Azure says what is there. The planner lists the steps between the two. The executor does them,
one remote call each, and tells you. Nothing is remembered anywhere else: Azure is the database.

Follow `amldeploy apply -e local` through the house:

    cli           reads the command line; prints the result; leaves with an exit code
    verbs         say each verb in a sentence of calls:
      reader        environments/local.yml and templates/medimageparse/ -> text and values, each with its place
      renderer      text + values -> documents; a value is data and can never become syntax
      validator     documents -> EndpointSpec, or every problem at once
      cloud         the only door to Azure; for `cloud: local`, to the emulator that lives in this package
      observer      cloud + specs -> facts: what Azure says is there
      planner       specs x facts -> plan; pure
      executor      plan -> report; the only loop over steps, the only place that tries a step again
      reporter      plan | report | status -> text, markdown, JSON, HTML
      progress      says what is going on, while it goes on
    importer      a live endpoint -> the files that say it; adoption puts our tags on it
    steps         the rooms, one kind of step each: quota, models, place and permission look; endpoint, record, roles,
                  deployment, probe, traffic and alias build; export and autoscale come before an end
    probes        what a right answer of a model looks like
    diff          the difference between a document and what Azure holds, as a table: one row a field
    model, outcome    the nouns: what is wanted and planned; what became of it
    emulator      a small Azure ML that speaks the wire; imports nothing of ours

A step is data: a verb, an address, a body, a reason, a retry budget. A plan is a tuple of steps and can be kept in a
file. A room answers three questions: what is there, which steps lead from there to what is wanted, and do this one
step. Teardown is the same planner walking towards nothing; a rescue is the same planner walking back.

What this costs: every run looks at Azure anew, so a plan is as slow as a handful of reads; and since a step can pass
nothing to the next, a step that needs a fact asks for it again. In return there is no state file to lose, and killing a
run loses nothing.
"""
