// Products with sparse matrices on given patterns, and their derivatives.
// Nothing here adds with atomics, so that results are the same in every run.
// T: float, double, complex<float>, complex<double>; I: int, long long. Where there is an L, groups
// of L neighbouring threads share a result; they add up in a fixed order. A null pointer for `data`
// stands for ones, for `indices` and `places` for 0, 1, 2, ...

// ---- y = A x ---------------------------------------------------------------------------------

// y[s] = sum of data[places[p]] x[indices[p]] + data2[places[p]] x2[indices[p]] over line s
template <typename T, typename I, int L>
__global__ void sum_lines(T* __restrict__ y, const T* __restrict__ data, const T* __restrict__ x,
                          const T* __restrict__ data2, const T* __restrict__ x2,
                          const I* __restrict__ begin, const I* __restrict__ indices,
                          const I* __restrict__ places, long long n) {
    long long t = (long long)blockIdx.x * blockDim.x + threadIdx.x, s = t / L, lane = t % L;
    T sum = T(0);
    if (s < n) {
        for (long long p = begin[s] + lane, end = begin[s + 1]; p < end; p += L) {
            long long j = indices ? indices[p] : p, k = places ? places[p] : p;
            sum += data ? data[k] * x[j] : x[j];
            if (data2) sum += data2[k] * x2[j];
        }
    }
    sum = sum_of_group<L>(sum);
    if (s < n && lane == 0) y[s] = sum;
}

// The same for k columns of x and y, which lie row by row: one thread for each element of y.
template <typename T, typename I>
__global__ void sum_lines_of_block(T* __restrict__ y, const T* __restrict__ data,
                                   const T* __restrict__ x, const I* __restrict__ begin,
                                   const I* __restrict__ indices, const I* __restrict__ places,
                                   long long k, long long n) {
    long long t = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (t >= n) return;
    long long s = t / k, c = t % k;
    T sum = T(0);
    for (long long p = begin[s], end = begin[s + 1]; p < end; ++p) {
        T v = x[(indices ? (long long)indices[p] : p) * k + c];
        sum += data ? data[places ? (long long)places[p] : p] * v : v;
    }
    y[t] = sum;
}

// Both cotangents of y = A x, x a vector. Group s has line s of A's own (rows of csr, columns of
// csc), entries_bar[p] = u[s] v[indices[p]], and column s of A, x_bar[s] = sum of data g.
// If both are the same lines, or have the same indices, the second loop reads from the cache.
template <typename T, typename I, int L>
__global__ void both_cotangents(T* __restrict__ entries_bar, T* __restrict__ x_bar,
                                const T* __restrict__ u, const T* __restrict__ v,
                                const T* __restrict__ g, const T* __restrict__ data,
                                const I* __restrict__ begin, const I* __restrict__ indices,
                                const I* __restrict__ column_begin,
                                const I* __restrict__ column_indices,
                                const I* __restrict__ column_places, long long lines,
                                long long columns, long long n) {
    long long t = (long long)blockIdx.x * blockDim.x + threadIdx.x, s = t / L, lane = t % L;
    if (s < lines) {
        T us = u[s];
        for (long long p = begin[s] + lane, end = begin[s + 1]; p < end; p += L)
            entries_bar[p] = us * v[indices[p]];
    }
    T sum = T(0);
    if (s < columns) {
        for (long long p = column_begin[s] + lane, end = column_begin[s + 1]; p < end; p += L)
            sum += data[column_places ? (long long)column_places[p] : p] * g[column_indices[p]];
    }
    sum = sum_of_group<L>(sum);
    if (s < columns && lane == 0) x_bar[s] = sum;
}

// out[e] = sum over c of G[rows[e], c] X[columns[e], c], G and X row by row with k columns
template <typename T, typename I, int L>
__global__ void sampled_outer(T* __restrict__ out, const T* __restrict__ G,
                              const T* __restrict__ X, const I* __restrict__ rows,
                              const I* __restrict__ columns, long long k, long long n) {
    long long t = (long long)blockIdx.x * blockDim.x + threadIdx.x, e = t / L, lane = t % L;
    T sum = T(0);
    if (e < n) {
        const T* g = G + (long long)rows[e] * k;
        const T* x = X + (long long)columns[e] * k;
        for (long long c = lane; c < k; c += L) sum += g[c] * x[c];
    }
    sum = sum_of_group<L>(sum);
    if (e < n && lane == 0) out[e] = sum;
}

// ---- c[i,j] = sum over k of a[i,k] b[k,j] -----------------------------------------------------

// The first place in indices[low] .. indices[high] (sorted) that has at least, or more than, j.
template <typename I>
__device__ long long first_not_below(const I* indices, long long low, long long high, I j) {
    while (low < high) {
        long long middle = low + (high - low) / 2;
        if (indices[middle] < j) low = middle + 1; else high = middle;
    }
    return low;
}

template <typename I>
__device__ long long first_above(const I* indices, long long low, long long high, I j) {
    while (low < high) {
        long long middle = low + (high - low) / 2;
        if (indices[middle] <= j) low = middle + 1; else high = middle;
    }
    return low;
}

// Calls f(q, r) for all pairs with left[q] == right[r] in two sorted ranges: goes through both, or,
// if one is much longer, looks there for what the other one has.
template <typename I, typename F>
__device__ void for_pairs(const I* left, long long q, long long q_end, const I* right, long long r,
                          long long r_end, F& f) {
    const long long much = 8;
    if (r_end - r > much * (q_end - q)) {
        for (; q < q_end; ++q)
            for (long long m = first_not_below(right, r, r_end, left[q]);
                 m < r_end && right[m] == left[q]; ++m)
                f(q, m);
    } else if (q_end - q > much * (r_end - r)) {
        for (; r < r_end; ++r)
            for (long long m = first_not_below(left, q, q_end, right[r]);
                 m < q_end && left[m] == right[r]; ++m)
                f(m, r);
    } else {
        while (q < q_end && r < r_end) {
            I i = left[q], j = right[r];
            if (i == j)  // the right one may be there several times, for each of the left ones
                for (long long m = r; m < r_end && right[m] == i; ++m) f(q, m);
            if (i <= j) ++q; else ++r;
        }
    }
}

template <typename T, typename I>
struct SumOfPairs {
    const T *a, *b;
    const I *a_places, *b_places;
    T sum;
    __device__ void operator()(long long q, long long r) {
        sum += a[a_places ? (long long)a_places[q] : q] * b[b_places ? (long long)b_places[r] : r];
    }
};

template <typename I>
struct ListOfPairs {
    I *of_a, *of_b;  // null: they are only counted
    const I *a_places, *b_places;
    long long next;
    __device__ void operator()(long long q, long long r) {
        if (of_a) {
            of_a[next] = a_places ? a_places[q] : (I)q;
            of_b[next] = b_places ? b_places[r] : (I)r;
        }
        ++next;
    }
};

// One group for each entry of C, by its place p in rows that are sorted; its threads share the row
// of A. Of equal ones the last stands for all: that is where the entries of A B go.
template <typename T, typename I, int L>
__global__ void masked_product(T* __restrict__ c, const T* __restrict__ a, const T* __restrict__ b,
                               const I* __restrict__ a_begin, const I* __restrict__ a_indices,
                               const I* __restrict__ a_places, const I* __restrict__ b_begin,
                               const I* __restrict__ b_indices, const I* __restrict__ b_places,
                               const I* __restrict__ c_begin, const I* __restrict__ c_indices,
                               const I* __restrict__ c_places, const I* __restrict__ c_lines,
                               long long n) {
    long long t = (long long)blockIdx.x * blockDim.x + threadIdx.x, p = t / L, lane = t % L;
    SumOfPairs<T, I> f = {a, b, a_places, b_places, T(0)};
    if (p < n) {
        I i = c_lines[p], j = c_indices[p];
        long long first = a_begin[i], length = a_begin[i + 1] - first;
        long long q = first + length * lane / L, q_end = first + length * (lane + 1) / L;
        long long r = b_begin[j], r_end = b_begin[j + 1];
        if (q < q_end && (p + 1 == c_begin[i + 1] || c_indices[p + 1] != j)) {
            if (lane > 0) r = first_not_below(b_indices, r, r_end, a_indices[q]);
            for_pairs(a_indices, q, q_end, b_indices, r, r_end, f);
        }
    }
    T sum = sum_of_group<L>(f.sum);
    if (p < n && lane == 0) c[c_places ? (long long)c_places[p] : p] = sum;
}

// The pairs of entries of A and B that each entry of C sums up: how many (of_a is null), or which.
template <typename T, typename I>
__global__ void pairs_of_product(long long* __restrict__ counts, I* __restrict__ of_a,
                                 I* __restrict__ of_b, const long long* __restrict__ begin,
                                 const I* __restrict__ a_begin, const I* __restrict__ a_indices,
                                 const I* __restrict__ a_places, const I* __restrict__ b_begin,
                                 const I* __restrict__ b_indices, const I* __restrict__ b_places,
                                 const I* __restrict__ c_begin, const I* __restrict__ c_indices,
                                 const I* __restrict__ c_places, const I* __restrict__ c_lines,
                                 long long n) {
    long long p = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (p >= n) return;
    I i = c_lines[p], j = c_indices[p];
    long long e = c_places ? (long long)c_places[p] : p, first = of_a ? begin[e] : 0;
    ListOfPairs<I> f = {of_a, of_b, a_places, b_places, first};
    if (p + 1 == c_begin[i + 1] || c_indices[p + 1] != j)
        for_pairs(a_indices, a_begin[i], a_begin[i + 1], b_indices, b_begin[j], b_begin[j + 1], f);
    if (!of_a) counts[e] = f.next;
}

// out[s] = sum of x[of_x[t]] y[of_y[t]] for t in begin[s] .. begin[s + 1]
template <typename T, typename I, int L>
__global__ void segment_products(T* __restrict__ out, const T* __restrict__ x,
                                 const T* __restrict__ y, const I* __restrict__ of_x,
                                 const I* __restrict__ of_y, const long long* __restrict__ begin,
                                 long long n) {
    long long t = (long long)blockIdx.x * blockDim.x + threadIdx.x, s = t / L, lane = t % L;
    T sum = T(0);
    if (s < n)
        for (long long p = begin[s] + lane, end = begin[s + 1]; p < end; p += L)
            sum += x[of_x[p]] * y[of_y[p]];
    sum = sum_of_group<L>(sum);
    if (s < n && lane == 0) out[s] = sum;
}

// ---- its cotangents --------------------------------------------------------------------------
// Entry q = (i, k) of A meets the entries r = (k, j) of row k of B. Where C has (i, j), or -1, is
// written in slots[slot_begin[q]] and after it, in the order of r; if slots is null it is looked up.

// The place of column j in a sorted row of C (of several the last), or -1.
template <typename I>
__device__ long long place_in_row(const I* indices, const I* places, long long begin,
                                  long long end, I j) {
    long long p = first_above(indices, begin, end, j) - 1;
    if (p < begin || indices[p] != j) return -1;
    return places ? (long long)places[p] : p;
}

template <typename T, typename I, int L>
__global__ void find_slots(I* __restrict__ slots, const long long* __restrict__ slot_begin,
                           const I* __restrict__ a_lines, const I* __restrict__ a_indices,
                           const I* __restrict__ b_begin, const I* __restrict__ b_indices,
                           const I* __restrict__ c_begin, const I* __restrict__ c_indices,
                           const I* __restrict__ c_places, long long n) {
    long long t = (long long)blockIdx.x * blockDim.x + threadIdx.x, q = t / L, lane = t % L;
    if (q >= n) return;
    I i = a_lines[q], k = a_indices[q];
    long long first = b_begin[k];
    for (long long r = first + lane, end = b_begin[k + 1]; r < end; r += L)
        slots[slot_begin[q] + r - first] =
            (I)place_in_row(c_indices, c_places, c_begin[i], c_begin[i + 1], b_indices[r]);
}

// a[q] = sum of c[i,j] b[k,j] over row k of B
template <typename T, typename I, int L>
__global__ void product_left(T* __restrict__ a, const T* __restrict__ c, const T* __restrict__ b,
                             const I* __restrict__ slots, const long long* __restrict__ slot_begin,
                             const I* __restrict__ a_lines, const I* __restrict__ a_indices,
                             const I* __restrict__ b_begin, const I* __restrict__ b_indices,
                             const I* __restrict__ c_begin, const I* __restrict__ c_indices,
                             const I* __restrict__ c_places, long long n) {
    long long t = (long long)blockIdx.x * blockDim.x + threadIdx.x, q = t / L, lane = t % L;
    T sum = T(0);
    if (q < n) {
        I k = a_indices[q];
        long long first = b_begin[k], end = b_begin[k + 1];
        if (slots) {
            for (long long r = first + lane; r < end; r += L) {
                long long e = slots[slot_begin[q] + r - first];
                if (e >= 0) sum += c[e] * b[r];
            }
        } else {
            I i = a_lines[q];
            for (long long r = first + lane; r < end; r += L) {
                long long e = place_in_row(c_indices, c_places, c_begin[i], c_begin[i + 1],
                                           b_indices[r]);
                if (e >= 0) sum += c[e] * b[r];
            }
        }
    }
    sum = sum_of_group<L>(sum);
    if (q < n && lane == 0) a[q] = sum;
}

// b[r] = sum of a[i,k] c[i,j] over column k of A: lines, places of its entries
template <typename T, typename I, int L>
__global__ void product_right(T* __restrict__ b, const T* __restrict__ c, const T* __restrict__ a,
                              const I* __restrict__ slots,
                              const long long* __restrict__ slot_begin,
                              const I* __restrict__ a_begin, const I* __restrict__ a_indices,
                              const I* __restrict__ a_places, const I* __restrict__ b_lines,
                              const I* __restrict__ b_begin, const I* __restrict__ b_indices,
                              const I* __restrict__ c_begin, const I* __restrict__ c_indices,
                              const I* __restrict__ c_places, long long n) {
    long long t = (long long)blockIdx.x * blockDim.x + threadIdx.x, r = t / L, lane = t % L;
    T sum = T(0);
    if (r < n) {
        I k = b_lines[r], j = b_indices[r];
        long long behind = r - b_begin[k];
        for (long long p = a_begin[k] + lane, end = a_begin[k + 1]; p < end; p += L) {
            long long q = a_places ? (long long)a_places[p] : p, e;
            if (slots) {
                e = slots[slot_begin[q] + behind];
            } else {
                I i = a_indices[p];
                e = place_in_row(c_indices, c_places, c_begin[i], c_begin[i + 1], j);
            }
            if (e >= 0) sum += a[q] * c[e];
        }
    }
    sum = sum_of_group<L>(sum);
    if (r < n && lane == 0) b[r] = sum;
}
