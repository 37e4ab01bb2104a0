// What the OHIF viewer is told of the archive that serves it. Everything is found from where this file came from: it holds
// below any path and behind any proxy.
(() => {
  const TOKEN = 'filmroom.token';
  const base = new URL('./', document.currentScript.src);
  const dicomweb = new URL('../dicomweb', base).href;

  console.time('scriptToView');
  window.PUBLIC_URL = base.pathname;
  window.browserImportFunction = name => import(name);

  // A link may bring a token behind '#', which no browser sends to a server. It lasts as long as the tab.
  const brought = new URLSearchParams(location.hash.slice(1)).get('token');
  if (brought) {
    sessionStorage.setItem(TOKEN, brought);
    history.replaceState(null, '', location.pathname + location.search);
  }
  const token = sessionStorage.getItem(TOKEN);
  const showsToken = {
    id: 'filmroom.token',
    preRegistration: ({ servicesManager }) =>
      servicesManager.services.userAuthenticationService.setServiceImplementation({
        getAuthorizationHeader: () => (token ? { Authorization: `Bearer ${token}` } : {}),
      }),
  };
  let isAsked = false;
  const askForToken = error => {
    if (error.status !== 401 || isAsked) {
      return;
    }
    isAsked = true; // of many answers the first
    const said = window.prompt('This archive wants a token (`filmroom token new NAME` makes one):');
    if (said) {
      sessionStorage.setItem(TOKEN, said.trim());
      location.reload();
    }
  };

  window.config = {
    name: 'filmroom',
    routerBasename: base.pathname,
    extensions: [showsToken],
    modes: [],
    customizationService: {},
    showStudyList: true,
    maxNumberOfWebWorkers: 3,
    showWarningMessageForCrossOrigin: false, // of shared memory, without which all works
    showCPUFallbackMessage: true,
    showLoadingIndicator: true,
    strictZSpacingForVolumeViewport: true,
    groupEnabledModesFirst: true,
    investigationalUseDialog: { option: 'configure', days: 365 },
    maxNumRequests: { interaction: 100, thumbnail: 5, prefetch: 25 },
    httpErrorHandler: askForToken,
    defaultDataSourceName: 'filmroom',
    dataSources: [
      {
        namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
        sourceName: 'filmroom',
        configuration: {
          friendlyName: 'Filmroom',
          name: 'filmroom',
          qidoRoot: dicomweb,
          wadoRoot: dicomweb,
          wadoUriRoot: new URL('../wado', base).href,
          qidoSupportsIncludeField: true,
          supportsFuzzyMatching: true,
          supportsWildcard: true,
          supportsReject: false,
          supportsStow: true,
          dicomUploadEnabled: true,
          enableStudyLazyLoad: true,
          imageRendering: 'wadors',
          thumbnailRendering: 'thumbnail',
          thumbnailRequestStrategy: 'fetch',
          // An element that shows a document by its URL shows no token: then the viewer fetches it.
          singlepart: token ? 'bulkdata' : 'bulkdata,video,pdf',
          bulkDataURI: { enabled: true },
          omitQuotationForMultipartRequest: true, // which spares other origins a preflight an image
        },
      },
    ],
  };
})();
