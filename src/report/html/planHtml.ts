// The report of a plan as one HTML file: now against plan, why, what binds, what if.
import type { PlanReport, PolicyFigures, PoolFigures, VariantFigures } from '../planReport.ts'
import { planReportCsv } from '../reportCsv.ts'
import { reportDocument, type Section, type WebAssets } from './document.ts'
import { instant } from './instants.ts'
import { type Content, html, type Markup } from './markup.ts'
import { count, dollarsPerHour, number, requestRate, share, signedShare } from './number.ts'
import { bullets, named, statusMark, type Tile, table, tiles } from './parts.ts'
import { doubledTile, pricesSection, whatIfSection, whySection } from './planningParts.ts'
import { poolBars } from './poolBars.ts'

export function planHtml(report: PlanReport, assets: WebAssets): string {
  const { at, whatIf, planning, policies, version } = report
  return reportDocument(
    {
      title: 'Plan',
      subtitle: html`${policies.length === 1 ? policies[0]?.id : 'All policies'} at ${instant(at)} UTC${whatIf === undefined ? undefined : html`, what if <code>${whatIf}</code>`}`,
      sections: [
        { id: 'summary', title: 'In short', body: tiles(summaryTiles(report)) },
        { id: 'plan', title: 'Now against plan', body: policies.map(policyMarkup) },
        poolSection(report),
        whatIfSection(planning),
        pricesSection(planning),
        whySection(planning),
        trustSection(report),
      ],
      data: report,
      fileName: 'mixscaler-plan',
      csv: planReportCsv(report),
      footer: `Mixscaler ${version}`,
    },
    assets,
  )
}

function summaryTiles(report: PlanReport): readonly Tile[] {
  const { costPerHour, changeShare, worstClass, bottleneck, doubled, policies } = report
  const short = policies.some(({ status }) => status === 'shortfall')
  const held = policies.some(({ status }) => status === 'held')
  return [
    { label: 'We pay', value: number(costPerHour.now, dollarsPerHour), note: 'for what runs now' },
    {
      label: 'We would pay',
      value: number(costPerHour.plan, dollarsPerHour),
      tone: short || held ? 'bad' : 'good',
      note: html`${number(changeShare, signedShare)} by the cheapest mix${
        short ? '; not all demand can be carried' : held ? '; some policy could not be planned' : undefined
      }`,
    },
    'unknown' in worstClass
      ? { label: 'Within SLO now', value: 'no data', note: worstClass.unknown }
      : {
          label: 'Within SLO now',
          value: number(worstClass.attainment, share),
          note: html`for ${named(worstClass.class)}, the class that fares worst, as the engines measured it`,
        },
    'unknown' in bottleneck
      ? { label: 'Bottleneck', value: 'no data', note: bottleneck.unknown }
      : {
          label: 'Bottleneck',
          value: bottleneck.pool,
          note: poolNote(bottleneck),
        },
    doubledTile(doubled),
  ]
}

function poolNote({ planned, gpus, plannedShare }: PoolFigures): Content {
  return typeof gpus === 'number'
    ? html`${number(planned, count)} of ${number(gpus, count)} GPUs planned (${number(plannedShare, share)})`
    : html`${number(planned, count)} GPUs planned; nothing says how many there are`
}

function policyMarkup({ id, model, status, reasons, classes, variants, costPerHour }: PolicyFigures): Markup {
  return html`<article><h3>${named(id)} ${statusMark(status)} <small>${model}</small></h3>
${bullets(reasons)}
${table(
  `Classes of ${id}`,
  [
    { title: 'Class' },
    { title: 'Demand/s', align: 'number' },
    { title: 'Forecast/s', align: 'number' },
    { title: 'Planned for/s', align: 'number' },
    { title: 'Short/s', align: 'number' },
    { title: 'TTFT met', align: 'number' },
    { title: 'ITL met', align: 'number' },
  ],
  classes.map((each) => [
    named(each.class),
    number(each.demand, requestRate),
    number(each.forecast, requestRate),
    number(each.plannedFor, requestRate),
    number(each.shortfall, requestRate),
    number(each.ttftAttainment, share),
    number(each.itlAttainment, share),
  ]),
)}
${table(
  `Variants of ${id}`,
  [
    { title: 'Variant' },
    { title: 'Now', align: 'number' },
    { title: 'Plan', align: 'number' },
    { title: 'Target', align: 'number' },
    { title: '$/h now', align: 'number' },
    { title: '$/h plan', align: 'number' },
    { title: 'Why' },
  ],
  variants.map(variantRow),
)}
<p class="total">Now ${number(costPerHour.now, dollarsPerHour)}, plan ${number(costPerHour.plan, dollarsPerHour)}.</p></article>`
}

function variantRow(each: VariantFigures): readonly Content[] {
  const { name, role, ready, starting, wanted, target, effective, costNow, costPlan, reasons } = each
  return [
    role === 'unified' ? name : html`${name} <small>${role}</small>`,
    html`${number(ready, count)}${typeof starting === 'number' && starting > 0 ? html` + ${number(starting, count)} <small>starting</small>` : undefined}`,
    number(wanted, count),
    html`${number(target, count)}${
      typeof effective === 'number' && effective !== target
        ? html` <small>HPA ${number(effective, count)}</small>`
        : undefined
    }`,
    number(costNow, dollarsPerHour),
    number(costPlan, dollarsPerHour),
    bullets(reasons),
  ]
}

function poolSection({ pools }: PlanReport): Section {
  const known = pools.flatMap((each) =>
    typeof each.planned === 'number' ? [{ ...each, planned: each.planned }] : [],
  )
  return {
    id: 'gpus',
    title: 'GPUs by pool',
    about: 'Solid: planned. Outline: held now. The line is the inventory.',
    body: html`${poolBars(
      known.map(({ pool, now, planned, gpus }) => ({
        name: pool,
        bars: [
          { kind: 'solid', value: planned },
          ...(typeof now === 'number' ? [{ kind: 'outline' as const, value: now }] : []),
        ],
        ...(typeof gpus === 'number' ? { inventory: gpus } : {}),
      })),
    )}${table(
      'GPUs by pool',
      [
        { title: 'Pool' },
        { title: 'Now', align: 'number' },
        { title: 'Planned', align: 'number' },
        { title: 'Inventory', align: 'number' },
        { title: 'Planned of inventory', align: 'number' },
      ],
      pools.map(poolRow),
    )}`,
  }
}

function poolRow({ pool, now, planned, gpus, plannedShare }: PoolFigures): readonly Content[] {
  return [pool, number(now, count), number(planned, count), number(gpus, count), number(plannedShare, share)]
}

function trustSection({ sizedBy, command, warnings }: PlanReport): Section {
  return {
    id: 'assumptions',
    title: 'What this rests on',
    about:
      'One observation and no memory of earlier ones: nothing shrinks yet in targets, and forecasts know no past.',
    body: html`${
      warnings.length === 0 ? undefined : html`<h3>Warnings of the observation</h3>${bullets(warnings)}`
    }${table(
      'Profiles',
      [{ title: 'Variant' }, { title: 'Profile' }, { title: 'Quality' }, { title: 'Source' }],
      sizedBy.map(({ variant, profile, quality, source }) => [named(variant), profile, quality, source]),
    )}
<h3>This report again</h3>
<pre><code>${command}</code></pre>`,
  }
}
