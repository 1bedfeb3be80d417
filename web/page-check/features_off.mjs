/**
 * The driver's own list, but without ThirdPartyStoragePartitioning: with that off, a frame of
 * another site gets no storage at all, which is not what people have. And with what the browser
 * itself would ask its maker about (forms on the page, pages visited): that is no request of ours.
 */
export const kFeaturesOff = [
    'AcceptCHFrame',
    'AutofillServerCommunication',
    'AvoidUnnecessaryBeforeUnloadCheckSync',
    'DestroyProfileOnBrowserClose',
    'DialMediaRouteProvider',
    'GlobalMediaControls',
    'HttpsUpgrades',
    'LensOverlay',
    'MediaRouter',
    'OptimizationHints',
    'PaintHolding',
    'Translate',
];
