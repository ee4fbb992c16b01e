// The dependency rule of docs/ARCHITECTURE.md, checked by `npm run check:dependencies`.
// test/architecture/canary.test.ts proves that each rule can fail.
const adapters = 'policy|prometheus|kubernetes|grpc|telemetry|solvers|report|profiling'

module.exports = {
  forbidden: [
    {
      name: 'core-is-pure',
      comment: 'src/core imports nothing but src/core: no library, no Node module, no adapter.',
      severity: 'error',
      from: { path: '^src/core/' },
      to: { pathNot: '^src/core/' },
    },
    {
      name: 'simulation-is-pure',
      comment: 'src/simulation knows core and itself only.',
      severity: 'error',
      from: { path: '^src/simulation/' },
      to: { pathNot: '^src/(core|simulation)/' },
    },
    {
      name: 'backtest-is-pure',
      comment:
        'src/backtest knows core, the simulation and itself only: files, clocks and threads are src/cli.',
      severity: 'error',
      from: { path: '^src/backtest/' },
      to: { pathNot: '^src/(core|simulation|backtest)/' },
    },
    {
      name: 'adapters-never-import-each-other',
      comment:
        'An adapter knows core, its own folder and what a backtest answers; src/cli wires them together.',
      severity: 'error',
      from: { path: `^src/(${adapters})/` },
      to: { path: '^src/', pathNot: ['^src/core/', '^src/$1/', '^src/backtest/(result|limits|floor)\\.ts$'] },
    },
    {
      name: 'd3-lives-in-report',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/report/' },
      to: { path: 'node_modules/d3-' },
    },
    {
      name: 'loop-knows-ports-only',
      comment: 'The loop knows core; what it drives is passed in.',
      severity: 'error',
      from: { path: '^src/loop/' },
      to: { path: '^src/', pathNot: '^src/(core|loop)/' },
    },
    {
      name: 'only-main-imports-cli',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(cli/|main\\.ts)' },
      to: { path: '^src/cli/' },
    },
    {
      name: 'one-home-per-library',
      comment: 'Each library is imported from one folder, so that it can be replaced in one place.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/grpc/|^src/demo/' },
      to: { path: 'node_modules/(@grpc|grpc-health-check)/' },
    },
    {
      name: 'axios-lives-in-prometheus',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/prometheus/' },
      to: { path: 'node_modules/axios/' },
    },
    {
      name: 'kubernetes-client-lives-in-kubernetes',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/kubernetes/' },
      to: { path: 'node_modules/@kubernetes/' },
    },
    {
      name: 'prom-client-and-pino-live-in-telemetry',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/telemetry/' },
      to: { path: 'node_modules/(prom-client|pino|pino-pretty)/' },
    },
    {
      name: 'yaml-and-zod-live-in-policy',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(policy|report)/' },
      to: { path: 'node_modules/(yaml|zod)/' },
    },
    {
      name: 'solvers-live-in-solvers',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/solvers/' },
      to: { path: 'node_modules/(javascript-lp-solver|highs)/' },
    },
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
}
