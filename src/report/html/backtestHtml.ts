// The report of a backtest as one HTML file: its sections in the order in which a review asks its questions.
import type { BacktestReport } from '../backtest/backtestReport.ts'
import type { PoolUse } from '../backtest/poolUse.ts'
import { isUnknown } from '../backtest/summary.ts'
import { reviewCsv } from '../reportCsv.ts'
import { attainmentSection, comparisonSection, costSection, worstSection } from './backtestScores.ts'
import { demandSection, poolSection, replicaSection } from './backtestSeries.ts'
import { reportDocument, type Section, type WebAssets } from './document.ts'
import { instant } from './instants.ts'
import { type Content, html } from './markup.ts'
import { count, dollars, dollarsPerHour, number, share } from './number.ts'
import { bullets, named, type Tile, table, tiles } from './parts.ts'
import { doubledTile, pricesSection, whatIfSection, whySection } from './planningParts.ts'
import { spentSection } from './spentSection.ts'

export function backtestHtml(report: BacktestReport, assets: WebAssets): string {
  const { scored, controller, planning, version } = report
  return reportDocument(
    {
      title: 'Capacity review',
      subtitle: html`${controller} on ${number(scored.hours, count)} h of traffic, ${instant(scored.from)} to ${instant(scored.until)} UTC`,
      sections: [
        summarySection(report),
        comparisonSection(report),
        spentSection(report),
        demandSection(report),
        replicaSection(report),
        costSection(report),
        attainmentSection(report),
        poolSection(report),
        ...(planning === undefined ? [] : [whatIfSection(planning), pricesSection(planning)]),
        worstSection(report),
        ...(planning === undefined ? [] : [whySection(planning)]),
        trustSection(report),
      ],
      data: report,
      fileName: 'mixscaler-backtest',
      csv: reviewCsv(report),
      footer: `Mixscaler ${version}`,
    },
    assets,
  )
}

function summarySection({ summary }: BacktestReport): Section {
  return { id: 'summary', title: 'In short', body: tiles(summaryTiles(summary)) }
}

function summaryTiles(summary: BacktestReport['summary']): readonly Tile[] {
  const { today, ours, savedShare, savedPerYear, worstClass, bottleneck, doubled } = summary
  const saves = typeof savedShare === 'number' && savedShare > 0
  return [
    isUnknown(today)
      ? { label: 'We pay', value: 'no data', note: today.unknown }
      : {
          label: 'We pay',
          value: number(today.dollarsPerHour, dollarsPerHour),
          note: html`${number(today.dollarsPerYear, dollars)} a year, by ${today.controller}`,
        },
    {
      label: 'We would pay',
      value: number(ours.dollarsPerHour, dollarsPerHour),
      tone: saves ? 'good' : 'warn',
      note: isUnknown(today)
        ? html`${number(ours.dollarsPerYear, dollars)} a year`
        : html`${number(savedShare, magnitudeShare)} ${saves ? 'less' : 'more'}: ${number(savedPerYear, magnitude)} a year`,
    },
    isUnknown(worstClass)
      ? { label: 'Within SLO', value: 'no data', note: worstClass.unknown }
      : {
          label: 'Within SLO',
          value: number(worstClass.attainment, share),
          tone: worstClass.attainment >= 0.99 ? 'good' : worstClass.attainment >= 0.95 ? 'warn' : 'bad',
          note: html`of the requests of ${named(worstClass.class)}, the class that fares worst`,
        },
    isUnknown(bottleneck)
      ? { label: 'Bottleneck', value: 'no data', note: bottleneck.unknown }
      : {
          label: 'Bottleneck',
          value: bottleneck.pool,
          note: poolNote(bottleneck),
        },
    doubledTile(doubled),
  ]
}

function poolNote({ peak, gpus, peakShare }: PoolUse): Content {
  return typeof gpus === 'number'
    ? html`${number(peak, count)} of ${number(gpus, count)} GPUs at the peak (${number(peakShare, share)})`
    : html`${number(peak, count)} GPUs at the peak; nothing says how many there are`
}

/** The sign is said in words. */
function magnitudeShare(value: number): string {
  return share(Math.abs(value))
}

function magnitude(value: number): string {
  return dollars(Math.abs(value))
}

function trustSection({ assumptions, sizedBy, command }: BacktestReport): Section {
  return {
    id: 'assumptions',
    title: 'What this rests on',
    body: html`${bullets(assumptions)}
${table(
  'Profiles',
  [{ title: 'Variant' }, { title: 'Profile' }, { title: 'Quality' }, { title: 'Source' }],
  sizedBy.map(({ variant, profile, quality, source }) => [named(variant), profile, quality, source]),
)}
<h3>This report again</h3>
<pre><code>${command}</code></pre>`,
  }
}
