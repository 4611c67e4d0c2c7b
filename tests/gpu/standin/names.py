"""What CuPy 14.2 has, by name: the stand-in has no more."""

FUNCTIONS = frozenset(
    """
    abs absolute acos acosh add all allclose amax amin angle any append apply_along_axis
    apply_over_axes arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin
    argpartition argsort argwhere around array array2string array_equal array_equiv array_repr
    array_split array_str asanyarray asarray asarray_chkfinite ascontiguousarray asfortranarray asin
    asinh astype atan atan2 atanh atleast_1d atleast_2d atleast_3d average bartlett base_repr
    binary_repr bincount bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not
    bitwise_or bitwise_right_shift bitwise_xor blackman broadcast_arrays broadcast_shapes
    broadcast_to can_cast cbrt ceil choose clip column_stack common_type compress concat concatenate
    conj conjugate convolve copy copysign copyto corrcoef correlate cos cosh count_nonzero cov cross
    cumprod cumsum cumulative_prod cumulative_sum deg2rad degrees delete diag diag_indices
    diag_indices_from diagflat diagonal diff digitize divide divmod dot dsplit dstack ediff1d einsum
    empty empty_like equal exp exp2 expand_dims expm1 extract eye fabs fill_diagonal fix flatnonzero
    flip fliplr flipud float_power floor floor_divide fmax fmin fmod format_float_positional
    format_float_scientific frexp from_dlpack frombuffer fromfile fromfunction fromiter fromstring
    full full_like gcd genfromtxt get_printoptions gradient greater greater_equal hamming hanning
    heaviside histogram histogram2d histogramdd hsplit hstack hypot i0 identity imag indices inner
    interp intersect1d invert isclose iscomplex iscomplexobj isdtype isfinite isfortran isin isinf
    isnan isneginf isposinf isreal isrealobj isscalar issubdtype iterable ix_ kaiser kron lcm ldexp
    left_shift less less_equal lexsort linspace load loadtxt log log10 log1p log2 logaddexp
    logaddexp2 logical_and logical_not logical_or logical_xor logspace mask_indices matmul
    matrix_transpose max maximum may_share_memory mean median meshgrid min min_scalar_type minimum
    mintypecode mod modf moveaxis multiply nan_to_num nanargmax nanargmin nancumprod nancumsum
    nanmax nanmean nanmedian nanmin nanprod nanstd nansum nanvar ndim negative nextafter nonzero
    not_equal ones ones_like outer packbits pad partition percentile permute_dims piecewise place
    poly polyadd polyfit polymul polysub polyval positive pow power printoptions prod promote_types
    ptp put put_along_axis putmask quantile rad2deg radians ravel ravel_multi_index real
    real_if_close reciprocal remainder repeat require reshape resize result_type right_shift rint
    roll rollaxis roots rot90 round row_stack save savetxt savez savez_compressed searchsorted
    select set_printoptions setdiff1d setxor1d shape shares_memory show_config sign signbit sin sinc
    sinh size sort sort_complex split sqrt square squeeze stack std subtract sum swapaxes take
    take_along_axis tan tanh tensordot tile trace transpose trapezoid tri tril tril_indices
    tril_indices_from trim_zeros triu triu_indices triu_indices_from true_divide trunc typename
    union1d unique unique_all unique_counts unique_inverse unique_values unpackbits unravel_index
    unwrap vander var vdot vsplit vstack where zeros zeros_like
    """.split()
)
"""Functions of `cupy` that NumPy has too."""

UFUNCS = frozenset(
    """
    abs absolute acos acosh add arccos arccosh arcsin arcsinh arctan arctan2 arctanh asin asinh atan
    atan2 atanh bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not bitwise_or
    bitwise_right_shift bitwise_xor cbrt ceil conj conjugate copysign cos cosh deg2rad degrees
    divide divmod equal exp exp2 expm1 fabs fix float_power floor floor_divide fmax fmin fmod frexp
    gcd greater greater_equal heaviside hypot i0 invert isfinite isinf isnan lcm ldexp left_shift
    less less_equal log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or
    logical_xor maximum minimum mod modf multiply negative nextafter not_equal positive pow power
    rad2deg radians reciprocal remainder right_shift rint sign signbit sin sinc sinh sqrt square
    subtract tan tanh true_divide trunc
    """.split()
)
"""Those of them that are elementwise, and take numbers beside arrays."""

REAL_ONLY = frozenset(
    """
    bitwise_and bitwise_count bitwise_invert bitwise_left_shift bitwise_not bitwise_or
    bitwise_right_shift bitwise_xor cbrt ceil deg2rad degrees divmod fabs fix floor floor_divide
    fmod frexp gcd heaviside invert lcm ldexp left_shift logaddexp logaddexp2 logical_and
    logical_not logical_or logical_xor mod modf rad2deg radians remainder right_shift signbit trunc
    """.split()
)
"""Those that have no loop for complex numbers."""

COMPARISONS = frozenset("greater greater_equal less less_equal equal not_equal".split())

NUMPYS_OWN = frozenset(
    """
    broadcast_shapes get_printoptions isdtype issubdtype iterable mintypecode printoptions
    promote_types set_printoptions typename
    """.split()
)
"""Functions that `cupy` has from NumPy: its protocol leaves them to NumPy."""

SPECIAL = frozenset(
    """
    bdtr bdtrc bdtri beta betainc betaincinv betaln binom boxcox boxcox1p cbrt chdtr chdtrc chdtri
    cosdg cosm1 cotdg digamma ellipeinc ellipj ellipk ellipkinc ellipkm1 entr erf erfc erfcinv erfcx
    erfinv exp1 exp10 exp2 expi expit expm1 expn exprel fdtr fdtrc fdtri gamma gammainc gammaincc
    gammainccinv gammaincinv gammaln gammasgn gdtr gdtrc huber i0 i0e i1 i1e inv_boxcox inv_boxcox1p
    j0 j1 k0 k0e k1 k1e kl_div log1p log_expit log_ndtr loggamma logit lpmv nbdtr nbdtrc nbdtri ndtr
    ndtri pdtr pdtrc pdtri poch pseudo_huber psi radian rel_entr rgamma shichi sici sinc sindg tandg
    wright_bessel xlog1py xlogy y0 y1 yn zeta zetac
    """.split()
)
"""Elementwise functions of `cupyx.scipy.special`, which NumPy's protocol reaches."""

LINALG = frozenset(
    """
    cholesky cond cross det eig eigh eigvals eigvalsh inv lstsq matmul matrix_power matrix_rank
    matrix_transpose norm pinv qr slogdet solve svd tensorinv tensorsolve
    """.split()
)
"""Those of `cupy.linalg`."""

FFT = frozenset(
    """
    fft fft2 fftfreq fftn fftshift hfft ifft ifft2 ifftn ifftshift ihfft irfft irfft2 irfftn rfft
    rfft2 rfftfreq rfftn
    """.split()
)
"""Those of `cupy.fft`."""

METHODS = frozenset(
    """
    T all any argmax argmin argpartition argsort astype base byteswap choose clip compress conj
    conjugate copy cumprod cumsum data device diagonal dot dtype dump dumps fill flags flat flatten
    imag item itemsize mT max mean min nbytes ndim nonzero partition prod put ravel real repeat
    reshape round searchsorted shape size sort squeeze std strides sum swapaxes take tobytes tofile
    tolist trace transpose var view
    """.split()
)
"""Methods and attributes of `cupy.ndarray` that NumPy's has too."""

CSR = frozenset(
    """
    A H T arcsin arcsinh arctan arctanh argmax argmin asformat asfptype astype ceil conj conjugate
    copy count_nonzero deg2rad device diagonal dot dtype eliminate_zeros expm1 floor format get getH
    get_shape getcol getformat getmaxprint getnnz getrow has_canonical_format has_sorted_indices
    imag log1p mT max maximum maxprint mean min minimum multiply ndim nnz nonzero power prune
    rad2deg real reshape rint set_shape setdiag shape sign sin sinh size sort_indices sorted_indices
    sqrt sum sum_duplicates tan tanh toarray tobsr tocoo tocsc tocsr todense todia todok tolil trace
    transpose trunc
    """.split()
)
"""Public members of `cupyx.scipy.sparse.csr_array` and `csr_matrix`."""

CSC = frozenset(
    """
    A H T arcsin arcsinh arctan arctanh argmax argmin asformat asfptype astype ceil conj conjugate
    copy count_nonzero deg2rad device diagonal dot dtype eliminate_zeros expm1 floor format get getH
    get_shape getcol getformat getmaxprint getnnz getrow has_canonical_format has_sorted_indices
    imag log1p mT max maximum maxprint mean min minimum multiply ndim nnz nonzero power prune
    rad2deg real reshape rint set_shape setdiag shape sign sin sinh size sort_indices sorted_indices
    sqrt sum sum_duplicates tan tanh toarray tobsr tocoo tocsc tocsr todense todia todok tolil trace
    transpose trunc
    """.split()
)
"""Public members of `cupyx.scipy.sparse.csc_array` and `csc_matrix`."""

COO = frozenset(
    """
    A H T arcsin arcsinh arctan arctanh asformat asfptype astype ceil conj conjugate coords copy
    count_nonzero deg2rad device diagonal dot dtype eliminate_zeros expm1 floor format get getH
    get_shape getcol getformat getmaxprint getnnz getrow imag log1p mT maximum maxprint mean minimum
    multiply ndim nnz nonzero power rad2deg real reshape rint set_shape setdiag shape sign sin sinh
    size sqrt sum sum_duplicates tan tanh toarray tobsr tocoo tocsc tocsr todense todia todok tolil
    trace transpose trunc
    """.split()
)
"""Public members of `cupyx.scipy.sparse.coo_array` and `coo_matrix`."""

DIA = frozenset(
    """
    A H T arcsin arcsinh arctan arctanh asformat asfptype astype ceil conj conjugate copy
    count_nonzero deg2rad device diagonal dot dtype expm1 floor format get getH get_shape getcol
    getformat getmaxprint getnnz getrow imag log1p mT maximum maxprint mean minimum multiply ndim
    nnz nonzero power rad2deg real reshape rint set_shape setdiag shape sign sin sinh size sqrt sum
    tan tanh toarray tobsr tocoo tocsc tocsr todense todia todok tolil trace transpose trunc
    """.split()
)
"""Public members of `cupyx.scipy.sparse.dia_array` and `dia_matrix`."""

SPARSE = frozenset(
    """
    SparseEfficiencyWarning SparseWarning block_array block_diag bmat coo_array coo_matrix csc_array
    csc_matrix csr_array csr_matrix dia_array dia_matrix diags diags_array eye eye_array find
    get_index_dtype hstack identity issparse isspmatrix isspmatrix_coo isspmatrix_csc isspmatrix_csr
    isspmatrix_dia kron kronsum matrix_transpose permute_dims rand random random_array
    safely_cast_index_arrays sparray spdiags spmatrix swapaxes tril triu vstack
    """.split()
)
"""Names of `cupyx.scipy.sparse`."""
