// Where a class's demand was read: what arrives at engines is known only while all of them are seen; a query and a gateway
// know it alone.
export type DemandReadAt = 'engines' | 'source'
