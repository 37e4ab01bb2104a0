"""See associate.pxd."""

CONTEXTS_MAX = CONTEXTS_MAX_C


cdef class UserInformation:
    def __init__(
        self,
        pdu_bytes_max=0,
        implementation_class_uid="",
        implementation_version_name="",
        asynchronous_window=None,
        roles=(),
        extended=(),
        user_identity=None,
    ):
        self.pdu_bytes_max = pdu_bytes_max
        self.implementation_class_uid = implementation_class_uid
        self.implementation_version_name = implementation_version_name
        self.asynchronous_window = asynchronous_window
        self.roles = list(roles)
        self.extended = list(extended)
        self.user_identity = user_identity


cdef class AssociateRequest:
    def __init__(
        self, bytes called_ae_title, bytes calling_ae_title, application_context, contexts, UserInformation user,
        protocol_version=1,
    ):
        self.called_ae_title = called_ae_title
        self.calling_ae_title = calling_ae_title
        self.application_context = application_context
        self.contexts = list(contexts)
        self.user = user
        self.protocol_version = protocol_version


cdef class AssociateAccept(AssociateRequest):
    pass
