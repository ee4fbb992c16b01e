// A headless Chromium, driven over its own DevTools protocol: what a reader's browser says to a page, what it draws, and
// what it asks the network for. Debian's package; a missing one fails with the hint.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Browser {
  readonly open: (url: string, view: View) => Promise<Page>
  readonly close: () => Promise<void>
}

export interface View {
  readonly scheme: 'light' | 'dark'
  readonly width: number
  readonly height?: number
}

export interface Page {
  /** Errors and warnings of the console, uncaught exceptions, what the content security policy refused. */
  readonly complaints: readonly string[]
  /** URLs that were asked for, the page's own included. */
  readonly requests: readonly string[]
  /** The value of a JavaScript expression, as JSON. */
  readonly evaluate: (expression: string) => Promise<unknown>
  /** PNG of the whole page. */
  readonly screenshot: () => Promise<Buffer>
  readonly pdf: () => Promise<Buffer>
  readonly close: () => Promise<void>
}

const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--hide-scrollbars',
  '--remote-debugging-port=0',
]

export async function startChromium(): Promise<Browser> {
  if (spawnSync('chromium', ['--version']).status !== 0)
    throw new Error('chromium is missing: run test/install-chromium.sh, or apt-get install chromium')
  const profile = mkdtempSync(join(tmpdir(), 'mixscaler-chromium-'))
  const child = spawn('chromium', [...flags, `--user-data-dir=${profile}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const connection = await connect(await endpointOf(child))
  return {
    open: (url, view) => openPage(connection, url, view),
    close: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      // It may be gone before it answers.
      void connection.send('Browser.close')
      await ended
      rmSync(profile, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

function endpointOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      said += text
      const endpoint = /DevTools listening on (\S+)/.exec(said)?.[1]
      if (endpoint !== undefined) resolve(endpoint)
    })
    child.once('exit', (code) => reject(new Error(`chromium ended with ${code}: ${said}`)))
  })
}

type Answer = Readonly<Record<string, unknown>>
type Listener = (method: string, params: Answer) => void

interface Connection {
  readonly send: (method: string, params?: Answer, session?: string) => Promise<Answer>
  readonly listen: (session: string, listener: Listener) => void
}

async function connect(endpoint: string): Promise<Connection> {
  const socket = new WebSocket(endpoint)
  await new Promise((resolve, reject) => {
    socket.addEventListener('open', resolve)
    socket.addEventListener('error', () => reject(new Error(`cannot connect to ${endpoint}`)))
  })
  const waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>()
  const listeners = new Map<string, Listener>()
  let last = 0
  socket.addEventListener('message', ({ data }) => {
    const { id, method, params, result, error, sessionId } = JSON.parse(String(data))
    const call = waiting.get(id)
    if (call === undefined) return listeners.get(sessionId)?.(method, params)
    waiting.delete(id)
    if (error === undefined) call.resolve(result)
    else call.reject(new Error(error.message))
  })
  return {
    send: (method, params = {}, sessionId) =>
      new Promise((resolve, reject) => {
        last += 1
        waiting.set(last, { resolve, reject })
        socket.send(JSON.stringify({ id: last, method, params, sessionId }))
      }),
    listen: (session, listener) => void listeners.set(session, listener),
  }
}

async function openPage({ send, listen }: Connection, url: string, view: View): Promise<Page> {
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' })
  const { sessionId } = await send('Target.attachToTarget', { targetId, flatten: true })
  const session = String(sessionId)
  const call = (method: string, params?: Answer) => send(method, params, session)
  const complaints: string[] = []
  const requests: string[] = []
  const loaded = new Promise<void>((resolve) => {
    listen(session, (method, params) => {
      if (method === 'Page.loadEventFired') resolve()
      if (method === 'Network.requestWillBeSent') requests.push(urlOf(params))
      complaints.push(...complaintOf(method, params))
    })
  })
  for (const domain of ['Page', 'Runtime', 'Log', 'Network']) await call(`${domain}.enable`)
  await call('Emulation.setEmulatedMedia', {
    features: [{ name: 'prefers-color-scheme', value: view.scheme }],
  })
  await call('Emulation.setDeviceMetricsOverride', {
    width: view.width,
    height: view.height ?? 900,
    deviceScaleFactor: 1,
    mobile: false,
  })
  await call('Page.navigate', { url })
  await loaded
  const binary = async (method: string, params: Answer) =>
    Buffer.from(String((await call(method, params))['data']), 'base64')
  return {
    complaints,
    requests,
    evaluate: async (expression) => {
      const { result, exceptionDetails } = await call('Runtime.evaluate', {
        expression,
        returnByValue: true,
        awaitPromise: true,
      })
      if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails))
      return (result as Answer)['value']
    },
    screenshot: () => binary('Page.captureScreenshot', { captureBeyondViewport: view.height === undefined }),
    pdf: () => binary('Page.printToPDF', { printBackground: false, preferCSSPageSize: true }),
    close: async () => void (await send('Target.closeTarget', { targetId })),
  }
}

function urlOf(params: Answer): string {
  return String((params['request'] as Answer)['url'])
}

function complaintOf(method: string, params: Answer): readonly string[] {
  if (method === 'Runtime.exceptionThrown') return [JSON.stringify(params)]
  if (method === 'Runtime.consoleAPICalled') return [`console.${String(params['type'])}`]
  if (method !== 'Log.entryAdded') return []
  const { level, text } = params['entry'] as Answer
  return level === 'error' || level === 'warning' ? [String(text)] : []
}
