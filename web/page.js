// The served page: what was decided last and why, read from /api/v1/plan and shown anew every few seconds. Names are put
// in as text, never as markup. It reads; it can change nothing.

const refreshMilliseconds = 5000

/**
 * @typedef {{ missing: string, detail?: string }} Missing
 * @typedef {number | Missing} Reading
 * @typedef {{ text: string }} Reason
 * @typedef {{ id: string, name: string, demand: Reading, forecast: { atQuantile: number } | Missing,
 *   plannedFor: Reading, shortfall: Reading, attainment: { ttft: Reading, itl: Reading } }} ClassDecision
 * @typedef {{ id: string, name: string, role: string,
 *   replicas: { ready: number, starting: number, unschedulable?: { replicas: number, why: string } } | Missing,
 *   wanted: Reading, target: Reading, effective: Reading, costPerReplicaHour: number, reasons: Reason[] }} VariantDecision
 * @typedef {{ now: Reading, plan: Reading, target: Reading }} Cost
 * @typedef {{ id: string, name: string, namespace: string, model: string, status: string, classes: ClassDecision[],
 *   variants: VariantDecision[], costPerHour: Cost, reasons: Reason[] }} PolicyDecision
 * @typedef {{ at: number, costPerHour: Cost, policies: PolicyDecision[], warnings: string[] }} Plan
 * @typedef {{ problems: string[], warnings: string[],
 *   policies: { id: string, behavior: { stalenessBudgetSeconds: number } }[] }} Policies
 */

const content = /** @type {HTMLElement} */ (document.getElementById('content'))
const freshness = /** @type {HTMLElement} */ (document.getElementById('freshness'))

/**
 * @param {string} tag
 * @param {string} className
 * @param {(Node | string)[]} children
 */
function element(tag, className, ...children) {
  const made = document.createElement(tag)
  if (className !== '') made.className = className
  made.append(...children)
  return made
}

/**
 * @param {Reading | undefined} reading
 * @param {(value: number) => string} format
 */
function figure(reading, format) {
  if (typeof reading === 'number') return element('span', '', format(reading))
  const none = element('span', 'missing', 'no data')
  if (reading !== undefined) none.title = [reading.missing, reading.detail ?? ''].join(' ').trim()
  return none
}

/** @param {number} value */
const money = (value) => `$${value.toFixed(2)}/h`
/** @param {number} value */
const rate = (value) => value.toFixed(value < 10 ? 2 : 1)
/** @param {number} value */
const percent = (value) => `${(value * 100).toFixed(1)} %`

/** @param {Reason[]} reasons */
function facts(reasons) {
  return element('ul', 'facts', ...reasons.map(({ text }) => element('li', '', text)))
}

/**
 * @param {string} caption
 * @param {string[]} heads  the number columns begin with `#`
 * @param {(Node | string)[][]} rows
 */
function table(caption, heads, rows) {
  const classes = heads.map((head) => (head.startsWith('#') ? 'number' : 'text'))
  const headRow = element('tr', '')
  for (const [column, head] of heads.entries()) {
    const cell = element('th', classes[column] ?? '', head.replace('#', ''))
    cell.setAttribute('scope', 'col')
    headRow.append(cell)
  }
  const body = rows.map((cells) =>
    element('tr', '', ...cells.map((cell, column) => element('td', classes[column] ?? '', cell))),
  )
  return element(
    'div',
    'scroll',
    element(
      'table',
      '',
      element('caption', 'unseen', caption),
      element('thead', '', headRow),
      element('tbody', '', ...body),
    ),
  )
}

/** @param {ClassDecision} each */
function classRow(each) {
  const forecast = 'missing' in each.forecast ? each.forecast : each.forecast.atQuantile
  return [
    element('b', '', each.name),
    figure(each.demand, rate),
    figure(forecast, rate),
    figure(each.plannedFor, rate),
    figure(each.shortfall, rate),
    figure(each.attainment.ttft, percent),
    figure(each.attainment.itl, percent),
  ]
}

/** @param {VariantDecision} each */
function variantRow(each) {
  const { replicas, role } = each
  const now =
    'missing' in replicas
      ? figure(replicas, String)
      : element(
          'span',
          '',
          `${replicas.ready}${replicas.starting > 0 ? ` + ${replicas.starting} starting` : ''}`,
        )
  const target = element('span', '', element('b', '', figure(each.target, String)))
  if (typeof each.effective === 'number' && each.effective !== each.target)
    target.append(element('small', '', ` HPA ${each.effective}`))
  const unschedulable = 'missing' in replicas ? undefined : replicas.unschedulable
  const reasons = [
    ...each.reasons,
    ...(unschedulable === undefined
      ? []
      : [{ text: `${unschedulable.replicas} find no node: ${unschedulable.why}` }]),
  ]
  return [
    element('span', '', element('b', '', each.name), role === 'unified' ? '' : ` ${role}`),
    now,
    figure(each.wanted, String),
    target,
    figure(
      'missing' in replicas ? replicas : (replicas.ready + replicas.starting) * each.costPerReplicaHour,
      money,
    ),
    facts(reasons),
  ]
}

/** @param {PolicyDecision} policy */
function policySection(policy) {
  const { name, namespace, status, model, reasons, classes, variants, costPerHour } = policy
  const title = element(
    'h2',
    '',
    name,
    ' ',
    element('small', '', namespace),
    ' ',
    element('span', `status ${['planned', 'shortfall', 'held'].includes(status) ? status : ''}`, status),
  )
  const classHeads = [
    'Class',
    '#Demand/s',
    '#Forecast/s',
    '#Planned for/s',
    '#Short/s',
    '#TTFT met',
    '#ITL met',
  ]
  const variantHeads = ['Variant', '#Now', '#Wanted', '#Target', '#$/h now', 'Why']
  const cost = element('p', 'total', 'Now ', figure(costPerHour.now, money), ', plan ')
  cost.append(figure(costPerHour.plan, money), ', targets ', figure(costPerHour.target, money), '.')
  return element(
    'section',
    '',
    title,
    element('p', 'about', model),
    facts(reasons),
    table(`Variants of ${name}`, variantHeads, variants.map(variantRow)),
    table(`Classes of ${name}`, classHeads, classes.map(classRow)),
    cost,
  )
}

/**
 * @param {string} label
 * @param {Node | string} value
 * @param {string} note
 * @param {string} tone
 */
function tile(label, value, note, tone) {
  return element(
    'div',
    `tile ${tone}`,
    element('dt', '', label),
    element('dd', 'value', value),
    element('dd', 'note', note),
  )
}

/**
 * @param {Plan} plan
 * @param {number} age
 * @param {boolean} isStale
 */
function tiles(plan, age, isStale) {
  const { policies, costPerHour } = plan
  const shares = policies
    .flatMap(({ classes }) => classes)
    .flatMap(({ attainment }) => [attainment.ttft, attainment.itl])
    .filter((share) => typeof share === 'number')
  const short = policies.filter(({ status }) => status === 'shortfall').length
  const held = policies.filter(({ status }) => status === 'held').length
  const statuses = short > 0 ? `${short} short` : held > 0 ? `${held} held` : 'All carried'
  return element(
    'dl',
    'tiles',
    tile('Policies', statuses, `of ${policies.length}`, short > 0 ? 'bad' : held > 0 ? 'warn' : 'good'),
    tile('We pay', figure(costPerHour.now, money), 'for what runs now', ''),
    tile('By the plan', figure(costPerHour.plan, money), 'the cheapest mix that carries the demand', ''),
    tile(
      'Within SLO',
      shares.length === 0 ? figure(undefined, percent) : figure(Math.min(...shares), percent),
      'the class and bound that fare worst',
      '',
    ),
    tile(
      'Observed',
      `${age} s ago`,
      isStale ? 'too old: KEDA gets an error' : 'as the last decision saw it',
      isStale ? 'bad' : 'good',
    ),
  )
}

/**
 * @param {string} title
 * @param {string[]} texts
 */
function problems(title, texts) {
  if (texts.length === 0) return []
  return [element('section', 'problems', element('h2', '', title), facts(texts.map((text) => ({ text }))))]
}

/** What is short comes first, then what is held. @param {PolicyDecision} policy */
function urgency({ status }) {
  return ['shortfall', 'held'].includes(status) ? ['shortfall', 'held'].indexOf(status) : 2
}

/**
 * @param {Plan} plan
 * @param {Policies} policies
 * @param {number} now  by the server's clock, seconds since the epoch
 */
function show(plan, policies, now) {
  const age = Math.max(0, Math.round(now - plan.at))
  const budgets = policies.policies.map(({ behavior }) => behavior.stalenessBudgetSeconds)
  const isStale = age > Math.min(...budgets)
  content.replaceChildren(
    tiles(plan, age, isStale),
    ...problems('Policy files that are not valid: the policies in force stay', policies.problems),
    ...problems('What looked wrong while observing', plan.warnings),
    ...plan.policies.toSorted((x, y) => urgency(x) - urgency(y)).map(policySection),
  )
  say(isStale ? 'stale' : 'fresh', `decided ${new Date(plan.at * 1000).toISOString().slice(0, 19)}Z`)
}

/**
 * @param {'fresh' | 'stale'} state
 * @param {string} text
 */
function say(state, text) {
  freshness.className = `status ${state}`
  freshness.textContent = text
}

/**
 * Of another server's decision only its targets are known.
 * @param {{ error: string, followed?: { targets: Record<string, Reading> } }} none
 */
function showNone({ error, followed }) {
  say(followed === undefined ? 'stale' : 'fresh', error)
  if (followed === undefined) return
  const rows = Object.entries(followed.targets).map(([id, target]) => [id, figure(target, String)])
  content.replaceChildren(element('section', '', table('Targets', ['Variant', '#Target'], rows)))
}

async function refresh() {
  try {
    const [plan, policies] = await Promise.all(
      ['/api/v1/plan', '/api/v1/policies'].map((path) => fetch(path)),
    )
    if (plan === undefined || policies === undefined) return
    if (plan.status === 503) showNone(await plan.json())
    else if (plan.ok && policies.ok) {
      const answered = Date.parse(plan.headers.get('date') ?? '') / 1000
      show(await plan.json(), await policies.json(), Number.isNaN(answered) ? Date.now() / 1000 : answered)
    } else say('stale', `the server answers ${plan.ok ? policies.status : plan.status}`)
  } catch {
    say('stale', 'the server does not answer: what is shown is old')
  }
}

async function run() {
  await refresh()
  setTimeout(run, refreshMilliseconds)
}

void run()
