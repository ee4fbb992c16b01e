// `mixscaler serve`: answers KEDA. Flags to settings here; src/cli/server.ts puts the parts together.
import type { TlsFiles } from '../grpc/certificates.ts'
import { systemClock } from '../loop/clock.ts'
import type { JournalOptions } from '../loop/journal.ts'
import { createLogger, logLevels } from '../telemetry/logger.ts'
import { defineCommand, type Flags, type Values } from './command.ts'
import { CommandError, exitCodes, usageError } from './exit.ts'
import { observingFlags, openEyes } from './observing.ts'
import { policyFilesAt, policyFlag, requirePolicies } from './policies.ts'
import { runServer } from './server.ts'
import { choiceFlag, countFlag, delayFlag, durationFlag, portFlag } from './values.ts'
import { version } from './version.ts'

const flags = {
  policy: policyFlag,
  ...observingFlags,
  'dry-run': { type: 'boolean', text: 'plan, log and show, but tell KEDA the current counts' },
  events: { type: 'boolean', text: 'write an Event on a ScaledObject when its target changes' },
  address: {
    type: 'string',
    default: '0.0.0.0',
    placeholder: 'IP',
    text: 'where to listen; :: for IPv6 too',
  },
  'grpc-port': {
    type: 'string',
    default: '9090',
    placeholder: 'PORT',
    text: 'for KEDA; 0 takes any free one',
  },
  'http-port': {
    type: 'string',
    default: '8080',
    placeholder: 'PORT',
    text: 'for /metrics, probes and /api/v1',
  },
  'tls-cert-file': {
    type: 'string',
    placeholder: 'FILE',
    text: 'PEM: serve KEDA over TLS; reloaded on change',
  },
  'tls-key-file': { type: 'string', placeholder: 'FILE', text: 'PEM of its key' },
  'tls-client-ca-file': {
    type: 'string',
    placeholder: 'FILE',
    text: 'PEM: only clients of this authority (mTLS)',
  },
  journal: {
    type: 'string',
    placeholder: 'FILE',
    text: 'write every decision there, for `mixscaler replay`',
  },
  'journal-size': {
    type: 'string',
    default: '64',
    placeholder: 'MEBIBYTES',
    text: 'of one file; then FILE becomes FILE.1 and so on',
  },
  'journal-files': {
    type: 'string',
    default: '8',
    placeholder: 'COUNT',
    text: 'files kept; the oldest goes',
  },
  'log-level': { type: 'string', default: 'info', placeholder: logLevels.join('|'), text: 'what is logged' },
} as const satisfies Flags

export const serve = defineCommand({
  name: 'serve',
  summary: "answer KEDA: decide every few seconds, hand each ScaledObject its variant's target",
  usage: '--policy PATH --prometheus URL [flags]',
  description:
    'Observes, decides and publishes on a fixed grid of instants, and answers KEDA from the last decision. Policies\n' +
    'reload on change; a bad file leaves the last good ones in force. When nothing new can be observed the last\n' +
    'decision stands for the staleness budget of the policy, then KEDA gets an error and holds.\n' +
    'SIGTERM drains and ends with 0; a second one ends at once.',
  flags,
  examples: [
    {
      text: 'Beside a Prometheus',
      command: 'mixscaler serve --policy policies/ --prometheus http://prometheus:9090',
    },
    {
      text: 'Watch for a week before letting it scale anything',
      command: 'mixscaler serve --policy policies/ --prometheus http://prometheus:9090 --dry-run',
    },
    {
      text: 'A tenant of Mimir',
      command:
        'mixscaler serve -p policies/ --prometheus https://mimir/prometheus --prometheus-org-id ml --prometheus-token-file /run/token',
    },
  ],
  run: async (values, terminal) => {
    const options = serverOptions(values)
    const format = terminal.columns === undefined ? 'json' : 'pretty'
    const logger = createLogger(choiceFlag('log-level', values['log-level'], logLevels), format)
    const policies = await requirePolicies(values.policy)
    try {
      await runServer(
        options,
        {
          policies,
          readPolicies: () => policyFilesAt(values.policy ?? ''),
          openEyes: (queried) =>
            openEyes(values, {
              env: terminal.env,
              queried,
              noticed: (message) => logger.warn({}, message),
              ...(values.events === true ? { events: { now: systemClock.now } } : {}),
            }),
          logger,
        },
        terminal.signal,
      )
    } catch (error) {
      if (error instanceof CommandError || !(error instanceof Error)) throw error
      throw new CommandError(exitCodes.failed, error.message, { cause: error })
    }
    return exitCodes.good
  },
})

function serverOptions(values: Values<typeof flags>) {
  const tls = tlsFiles(values)
  const journal = journalOptions(values)
  return {
    address: values.address,
    grpcPort: portFlag('grpc-port', values['grpc-port']),
    httpPort: portFlag('http-port', values['http-port']),
    ...(tls === undefined ? {} : { tls }),
    ...(journal === undefined ? {} : { journal }),
    emission: values['dry-run'] === true ? ('current' as const) : ('target' as const),
    intervalSeconds: durationFlag('interval', values.interval),
    evaluationDelaySeconds: delayFlag('evaluation-delay', values['evaluation-delay']),
    // The queries of a tick take two turns at the client's slots; the client then says better what went wrong.
    observeDeadlineSeconds: 2 * durationFlag('prometheus-timeout', values['prometheus-timeout']) + 1,
  }
}

function journalOptions(values: Values<typeof flags>): JournalOptions | undefined {
  const maxBytes = countFlag('journal-size', values['journal-size']) * 2 ** 20
  const files = countFlag('journal-files', values['journal-files'])
  return values.journal === undefined
    ? undefined
    : { file: values.journal, maxBytes, files, version: version() }
}

function tlsFiles(values: Values<typeof flags>): TlsFiles | undefined {
  const certificateFile = values['tls-cert-file']
  const keyFile = values['tls-key-file']
  const clientAuthorityFile = values['tls-client-ca-file']
  if (certificateFile !== undefined && keyFile !== undefined)
    return { certificateFile, keyFile, ...(clientAuthorityFile === undefined ? {} : { clientAuthorityFile }) }
  if ((certificateFile ?? keyFile ?? clientAuthorityFile) !== undefined)
    throw usageError('TLS needs both --tls-cert-file and --tls-key-file')
  return undefined
}
