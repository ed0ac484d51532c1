export const STYLE = `
  :root {
    color-scheme: light dark;
    --ground: light-dark(#f6f7f9, #14161a); --panel: light-dark(#fff, #1c1f25); --text: light-dark(#1b1f27, #e6e8ec);
    --quiet: light-dark(#5d6675, #98a1b0); --line: light-dark(#dfe3e9, #2d323b); --accent: light-dark(#1f5fd6, #7aa7ff);
    --good: light-dark(#0f7a43, #5bd08f); --fair: light-dark(#95590a, #f0b45c); --bad: light-dark(#b3261e, #ff8a80);
  }
  * { box-sizing: border-box; }
  [hidden] { display: none !important; }
  body { margin: 0; background: var(--ground); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
  main, header { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
  header { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem .75rem; padding-top: 1.25rem; padding-bottom: 1.25rem; }
  h1 { font-size: 1.2rem; margin: 0; } h2 { font-size: 1rem; margin: 0; }
  header .end { margin-left: auto; display: flex; align-items: center; gap: .75rem; }
  .quiet { color: var(--quiet); } .small { font-size: .85rem; }
  .panel { background: var(--panel); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem 1.25rem; margin-bottom: 1rem; }
  .panel > h2 { margin-bottom: .6rem; }
  form.panel { max-width: 34rem; } form p { margin: 0 0 .8rem; }
  label { display: block; font-weight: 600; margin-bottom: .3rem; } .row { display: flex; gap: .5rem; }
  input { flex: 1; min-width: 0; font: inherit; color: inherit; padding: .45rem .6rem; border: 1px solid var(--line); border-radius: .4rem; background: var(--ground); }
  button { font: inherit; color: inherit; padding: .4rem .8rem; border: 1px solid var(--line); border-radius: .4rem; background: var(--panel); cursor: pointer; }
  button.main { background: var(--accent); border-color: var(--accent); color: light-dark(#fff, #10131a); font-weight: 600; }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
  .problem { border-color: var(--bad); color: var(--bad); }
  .cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .75rem; margin: 0 0 1rem; }
  .cards div { background: var(--panel); border: 1px solid var(--line); border-radius: .6rem; padding: .7rem .9rem; }
  .cards dt { color: var(--quiet); font-size: .85rem; } .cards dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
  .cards dd small { display: block; font-size: .8rem; color: var(--quiet); }
  .health { display: grid; grid-template-columns: max-content max-content 1fr; gap: .35rem .9rem; margin: 0; align-items: baseline; }
  .health span { overflow-wrap: anywhere; }
  .mark { display: inline-block; font-size: .8rem; font-weight: 600; padding: 0 .5rem; border-radius: 1rem; border: 1px solid currentColor; white-space: nowrap; }
  .good { color: var(--good); } .fair { color: var(--fair); } .bad { color: var(--bad); } .none { color: var(--quiet); }
  .scroll { overflow-x: auto; margin: 0 -1.25rem; padding: 0 1.25rem; }
  table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
  th, td { text-align: left; padding: .35rem 1.1rem .35rem 0; white-space: nowrap; border-top: 1px solid var(--line); }
  th { color: var(--quiet); font-weight: 500; font-size: .85rem; border-top: 0; } .number { text-align: right; padding-right: 2rem; }
  td:last-child, th:last-child { padding-right: 0; }
  button.id { font: .85em ui-monospace, monospace; padding: 0; border: 0; background: none; white-space: pre; } .more { margin-top: .7rem; }
  @media (max-width: 40rem) {
    main, header { padding-left: .8rem; padding-right: .8rem; } .panel { padding: .8rem .9rem; }
    .scroll { margin: 0 -.9rem; padding: 0 .9rem; } .cards { grid-template-columns: repeat(2, 1fr); gap: .5rem; }
    .health { grid-template-columns: 1fr max-content; } .health span.message { grid-column: 1 / -1; margin-bottom: .4rem; }
    header .end { margin-left: 0; width: 100%; justify-content: space-between; }
  }
`;
